"""What can be done to many customers at once. Pure functions."""

from enum import StrEnum

MOST_BY_ID = 500
# Fields of a customer's form that are its own.
SINGLE_FIELDS = ("name", "contact", "profile", "wecom_friend")


class Act(StrEnum):
    """What a batch does to each of its customers."""

    DELETE = "delete"
    RESTORE = "restore"
    UPDATE = "update"
    TAG = "tag"
