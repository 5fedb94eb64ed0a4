"""`python -m crm_notify serve | work | push | migrate | …`."""

import sys

from chassis.stopping import end_on_sigterm

if __name__ == "__main__":
    end_on_sigterm()
    from chassis.roles import main
    from crm_notify.service import SERVICE

    sys.exit(main(SERVICE))
