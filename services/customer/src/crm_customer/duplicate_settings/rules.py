"""Which fields no two customers may share, where administrators say so (G-04). Pure."""

NAME, MOBILE, CREDIT_CODE = "name", "contact.mobile", "profile.credit_code"
UNIQUE_FIELDS = (NAME, MOBILE, CREDIT_CODE)
