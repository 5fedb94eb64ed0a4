"""`python -m crm_customer serve | work | migrate | rebuild | dead-letters`."""

import sys

from chassis.roles import main
from crm_customer.service import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE))
