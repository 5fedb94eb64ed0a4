"""`python -m crm_identity serve | work | migrate | create-administrator | rotate-key | seed-demo …`."""

import sys

from chassis.stopping import end_on_sigterm

if __name__ == "__main__":
    end_on_sigterm()
    from chassis.roles import main
    from crm_identity.service import SERVICE

    sys.exit(main(SERVICE))
