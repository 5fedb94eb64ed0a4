"""`python -m crm_import serve | work | process | migrate | rebuild | dead-letters`."""

import sys

from chassis.roles import main
from crm_import.service import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE))
