"""`python -m crm_identity serve | work | migrate | create-administrator | rotate-key | seed-demo …`."""

import sys

from chassis.roles import main
from crm_identity.service import SERVICE

if __name__ == "__main__":
    sys.exit(main(SERVICE))
