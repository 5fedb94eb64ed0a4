"""`python -m crm_pool serve | work | migrate | rebuild …`."""

import sys

from chassis.roles import main
from crm_pool.service import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE))
