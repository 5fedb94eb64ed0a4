"""`python -m crm_notify serve | work | push | migrate | …`."""

import sys

from chassis.roles import main
from crm_notify.service import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE))
