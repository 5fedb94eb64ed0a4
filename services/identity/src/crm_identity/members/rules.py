"""What members' logins, addresses and numbers look like. Patterns hold for the whole text."""

LOGIN, LOGIN_CHARACTERS = r"^[A-Za-z0-9][A-Za-z0-9._@-]+$", 64
EMAIL, EMAIL_CHARACTERS = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$", 100
PHONE, PHONE_CHARACTERS = r"^[0-9+()\- ]+$", 20
MOST_ROLES = 20
