"""Which customers: a filter as `GET /customers` takes it, and as the message that customer reads (design rule 7)."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ConfigDict, Field

from chassis.http.api import Body, Day
from crm.common.v1 import selection_pb2

Option = Annotated[str, Field(max_length=100)]


class Condition(Body):
    """One condition (筛选, I-06), as `GET /customers` takes it."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    field: Annotated[str, Field(max_length=60)]
    operator: Literal["any_of", "none_of", "all_of", "contains", "between", "within", "empty", "filled"]
    values: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=50)] = []


class CustomerFilter(Body):
    """Search conditions as `GET /customers` takes them, combined with AND; without any: every customer one sees."""

    search: Annotated[str, Field(max_length=100)] = ""
    view: Literal[
        "all",
        "mine",
        "created_today",
        "created_this_week",
        "created_this_month",
        "recently_updated",
        "owner_left",
        "recycled",
        "won",
        "assisting",
        "starred",
        "starred_in_scope",
        "called",
    ] = "all"
    pool_id: UUID | None = None
    owner_id: UUID | None = None
    customer_type: Option = ""
    industry: Option = ""
    source: Option = ""
    company_nature: Option = ""
    annual_turnover: Option = ""
    employee_count: Option = ""
    rating: Annotated[int | None, Field(ge=1, le=3)] = None
    province: Option = ""
    city: Option = ""
    address: Annotated[str, Field(pattern="^(.{2,100})?$")] = ""
    created_from: Annotated[Day | None, Field(description="day in the organisation's zone, inclusive")] = None
    created_to: Annotated[Day | None, Field(description="day in the organisation's zone, inclusive")] = None
    conditions: Annotated[list[Condition], Field(max_length=20)] = []


def filter_message(wanted: CustomerFilter, zone: str) -> selection_pb2.CustomerFilter:
    """The filter as customer reads it; days are those of the IANA zone `zone`."""
    texts = wanted.model_dump(mode="json", exclude={"created_from", "created_to", "conditions"}, exclude_none=True)
    others: dict[str, Any] = {name: str(value) for name, value in texts.items()}
    return selection_pb2.CustomerFilter(
        **others,
        created_from=_moment(wanted.created_from, time.min, zone),
        created_to=_moment(wanted.created_to, time.max, zone),
        conditions=[selection_pb2.FieldCondition(**one.model_dump()) for one in wanted.conditions],
    )


def _moment(day: date | None, clock: time, zone: str) -> Timestamp | None:
    if day is None:
        return None
    try:
        moment = datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        # At the very ends of the calendar, where UTC has no such moment.
        moment = datetime.combine(day, clock, UTC)
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
