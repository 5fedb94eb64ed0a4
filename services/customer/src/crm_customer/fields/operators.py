"""Which fields lists can be filtered by, and how (I-06, decision 0019). Pure."""

from collections.abc import Mapping
from enum import StrEnum


class Operator(StrEnum):
    """What a condition asks of a field."""

    ANY_OF = "any_of"
    NONE_OF = "none_of"
    ALL_OF = "all_of"
    CONTAINS = "contains"
    BETWEEN = "between"
    WITHIN = "within"
    EMPTY = "empty"
    FILLED = "filled"


class FilterKind(StrEnum):
    """What a field holds. The last five are the kinds of custom fields, as stored."""

    WORDS = "words"
    OPTION = "option"
    RECORD = "record"
    MOMENT = "moment"
    DAY = "day"
    FLAG = "flag"
    TAGS = "tags"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    SINGLE_CHOICE = "single_choice"
    MULTIPLE_CHOICE = "multiple_choice"


_PRESENCE = (Operator.EMPTY, Operator.FILLED)
_ONE = (Operator.ANY_OF, Operator.NONE_OF, *_PRESENCE)
_SEVERAL = (Operator.ANY_OF, Operator.ALL_OF, Operator.NONE_OF, *_PRESENCE)

OPERATORS: Mapping[FilterKind, tuple[Operator, ...]] = {
    FilterKind.WORDS: (Operator.CONTAINS,),
    FilterKind.OPTION: _ONE,
    FilterKind.RECORD: _ONE,
    FilterKind.MOMENT: (Operator.BETWEEN, Operator.WITHIN),
    FilterKind.DAY: (Operator.BETWEEN, Operator.WITHIN, *_PRESENCE),
    FilterKind.FLAG: (Operator.ANY_OF,),
    FilterKind.TAGS: _SEVERAL,
    FilterKind.TEXT: (Operator.CONTAINS, Operator.ANY_OF, *_PRESENCE),
    FilterKind.NUMBER: (Operator.BETWEEN, *_PRESENCE),
    FilterKind.DATE: (Operator.BETWEEN, Operator.WITHIN, *_PRESENCE),
    FilterKind.SINGLE_CHOICE: _ONE,
    FilterKind.MULTIPLE_CHOICE: _SEVERAL,
}

# What customers can be filtered by besides custom fields. Numbers of contacts are not among them: they may be masked.
CUSTOMER_FIELDS: Mapping[str, FilterKind] = {
    **dict.fromkeys(("name", "address", "wechat_nickname"), FilterKind.WORDS),
    **dict.fromkeys(
        (
            "industry",
            "source",
            "company_nature",
            "annual_turnover",
            "employee_count",
            "customer_type",
            "kind",
            "level",
            "stage",
            "intention",
            "status",
            "rating",
            "province",
            "city",
        ),
        FilterKind.OPTION,
    ),
    **dict.fromkeys(("owner_id", "created_by", "pool_id"), FilterKind.RECORD),
    **dict.fromkeys(("created_at", "updated_at"), FilterKind.MOMENT),
    "expires_on": FilterKind.DAY,
    **dict.fromkeys(("wecom_friend", "won"), FilterKind.FLAG),
    "tags": FilterKind.TAGS,
}
