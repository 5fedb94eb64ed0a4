"""`python -m crm_pool serve | work | migrate | rebuild …`."""

import sys

from chassis.stopping import end_on_sigterm

if __name__ == "__main__":
    end_on_sigterm()
    from chassis.roles import main
    from crm_pool.service import SERVICE

    sys.exit(main(SERVICE))
