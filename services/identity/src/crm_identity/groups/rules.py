"""How large user groups are: colleagues are counted in every list of customers (decision 0013)."""

MOST_MEMBERS = 100
MOST_GROUPS = 5
