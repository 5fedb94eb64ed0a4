"""What an import job can be, and which settings it accepts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from chassis.errors import FieldError, Invalid, invalid
from crm_import.kinds.kind import Form, Kind
from crm_import.kinds.registry import KINDS
from crm_import.mapping.forms import DateOrder, Typing
from crm_import.mapping.rules import usable_match_fields
from crm_import.reading.tables import Layout

MAX_FILE_BYTES = 20 * 1024 * 1024  # D-05


class Status(StrEnum):
    """Where a job stands (D-36). `validating`: being split into chunks."""

    UPLOADED = "uploaded"
    QUEUED = "queued"
    VALIDATING = "validating"
    REHEARSING = "rehearsing"
    REHEARSED = "rehearsed"
    RUNNING = "running"
    FINISHED = "finished"
    UNDOING = "undoing"
    UNDONE = "undone"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """What the chunks of a job are handled for (decision 0029)."""

    REHEARSAL = "rehearsal"
    WRITE = "write"
    UNDO = "undo"


SETTABLE = frozenset({Status.UPLOADED, Status.REHEARSED})
ENDED = frozenset({Status.FINISHED, Status.FAILED, Status.CANCELLED, Status.UNDONE})
WAITING_FOR_CHUNKS = frozenset({Status.QUEUED, Status.VALIDATING})
# While the chunks of a stage are handled, and when none of them is left.
HANDLED_AS = {Stage.REHEARSAL: Status.REHEARSING, Stage.WRITE: Status.RUNNING, Stage.UNDO: Status.UNDOING}
ENDS_AS = {Stage.REHEARSAL: Status.REHEARSED, Stage.WRITE: Status.FINISHED, Stage.UNDO: Status.UNDONE}
UNDER_WAY = WAITING_FOR_CHUNKS | set(HANDLED_AS.values())


class Mode(StrEnum):
    """What happens to rows that match a record: left alone (D-13), the record is updated (D-14), or what somebody
    decides for each (D-21).
    """

    CREATE_ONLY = "create_only"
    CREATE_AND_UPDATE = "create_and_update"
    ASK = "ask"


@dataclass(frozen=True)
class MappedColumn:
    """A column of the file (index from 0) and the field it fills."""

    column: int
    field: str


@dataclass(frozen=True)
class SplitPlan:
    """What splitting a job's file needs to know; where it is the same, so are the chunks. `first` and `last` column
    index; `required` and `match` fields, of which `mobile` is a mobile number; `within`: some match only where another
    field is the same.
    """

    job_id: UUID
    source_key: str
    layout: Layout
    header_row: int
    first: int
    last: int
    mapped: Mapping[str, int]
    match: Sequence[str]
    within: Mapping[str, str]
    mobile: str | None
    required: Sequence[str]


@dataclass(frozen=True)
class Days:
    """A day as written, and as its two readings."""

    value: str
    mdy: str
    dmy: str


def check_mapping(mapping: Sequence[MappedColumn], columns: Sequence[int], kind: Kind, language: str) -> None:
    """Raise Invalid naming every entry that points nowhere or to something taken (D-17); people count columns from 1."""
    errors: list[FieldError] = []
    taken_columns: set[int] = set()
    taken_fields: set[str] = set()
    for index, entry in enumerate(mapping):
        if entry.column not in columns:
            errors.append(FieldError(f"/mapping/{index}/column", "unknown_column", {"column": entry.column + 1}))
        elif entry.column in taken_columns:
            errors.append(FieldError(f"/mapping/{index}/column", "column_mapped_twice", {"column": entry.column + 1}))
        if entry.field not in kind.by_name:
            errors.append(FieldError(f"/mapping/{index}/field", "unknown_field", {"field": entry.field}))
        elif entry.field in taken_fields:
            label = kind.label(entry.field, language)
            errors.append(FieldError(f"/mapping/{index}/field", "field_mapped_twice", {"field": label}))
        taken_columns.add(entry.column)
        taken_fields.add(entry.field)
    if errors:
        raise invalid(*errors)


def check_match_fields(match_fields: Sequence[str], kind: Kind, language: str) -> None:
    """Raise Invalid unless they are different fields that can be matched, at least one where there are any (D-20)."""
    expected = kind.labels(kind.match_fields, language)
    errors = [
        FieldError(f"/match_fields/{index}", "not_a_match_field", {"expected": expected})
        for index, name in enumerate(match_fields)
        if name not in kind.match_fields or name in match_fields[:index]
    ]
    if kind.match_fields and not match_fields:
        errors.append(FieldError("/match_fields", "not_a_match_field", {"expected": expected}))
    if errors:
        raise invalid(*errors)


def check_settings(proposed: Mapping[str, object], kind: Kind) -> None:
    """Raise Invalid naming every setting that is meant for other kinds."""
    foreign = {name for other in KINDS.values() for name in other.settings - kind.settings if proposed.get(name)}
    if proposed.get("mode") == Mode.ASK and not kind.asks:
        foreign.add("mode")
    if not kind.match_fields:
        foreign |= {name for name in ("match_fields", "clear_empty") if proposed.get(name)}
        foreign |= {"mode"} if proposed.get("mode") not in (None, Mode.CREATE_ONLY) else set()
    errors = [FieldError(f"/{name}", "not_of_this_kind") for name in sorted(foreign)]
    if errors:
        raise invalid(*errors)


def check_required(mapped: Mapping[str, int], required: Sequence[str], kind: Kind, language: str) -> None:
    """Raise Invalid required_not_mapped, naming the missing fields in `language` (D-18)."""
    missing = [name for name in required if name not in mapped]
    if missing:
        names = kind.labels(missing, language)
        error = FieldError("/mapping", "required_not_mapped", {"fields": names})
        raise Invalid("required_not_mapped", errors=[error], fields=names)


def check_matchable(match_fields: Sequence[str], mapped: Mapping[str, int], kind: Kind) -> None:
    """Raise Invalid match_field_not_mapped unless a column fills at least one match field, where there are any."""
    if kind.match_fields and not usable_match_fields(match_fields, mapped, kind):
        error = FieldError("/match_fields", "match_field_not_mapped")
        raise Invalid("match_field_not_mapped", errors=[error])


def check_days(columns: Sequence[Mapping[str, Any]], mapped: Mapping[str, int], typing: Typing) -> None:
    """Raise Invalid date_order_unknown when days that two readings fit fill a field, and nobody has said which holds."""
    of_days = {column for name, column in mapped.items() if typing.forms.get(name) in (Form.DAY, Form.MOMENT)}
    for column in columns:
        if column["index"] in of_days and (days := days_read(column, typing)):
            parameters = {"column": column["header"], **asdict(days)}
            error = FieldError("/date_order", "date_order_unknown", parameters)
            raise Invalid("date_order_unknown", errors=[error], **parameters)


def days_read(column: Mapping[str, Any], typing: Typing) -> Days | None:
    """A day of a previewed column in both readings, while nobody has said which holds."""
    if typing.date_order or "date_example" not in column:
        return None
    text = column["date_example"]
    mdy, dmy = (replace(typing, date_order=order).day(text) for order in (DateOrder.MONTH_FIRST, DateOrder.DAY_FIRST))
    return Days(text, mdy, dmy)
