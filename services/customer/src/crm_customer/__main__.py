"""`python -m crm_customer serve | work | migrate | rebuild | dead-letters`."""

import sys

from chassis.stopping import end_on_sigterm

if __name__ == "__main__":
    end_on_sigterm()
    from chassis.roles import main
    from crm_customer.service import SERVICE

    sys.exit(main(SERVICE))
