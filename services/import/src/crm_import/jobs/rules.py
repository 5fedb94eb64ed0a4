"""What an import job can be, and which settings it accepts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chassis.errors import FieldError, Invalid
from crm_import.mapping.fields import BY_NAME, MATCHABLE
from crm_import.mapping.rules import missing_fields, usable_match_fields

MAX_FILE_BYTES = 20 * 1024 * 1024  # D-05


class Status(StrEnum):
    """Stages of a job (D-36). `validating`: being split into chunks."""

    UPLOADED = "uploaded"
    QUEUED = "queued"
    VALIDATING = "validating"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.FINISHED, Status.FAILED, Status.CANCELLED})


class Mode(StrEnum):
    """What happens to rows that match a customer: left alone (D-13), or the customer is updated (D-14)."""

    CREATE_ONLY = "create_only"
    CREATE_AND_UPDATE = "create_and_update"


@dataclass(frozen=True)
class MappedColumn:
    """A column of the file (index from 0) and the field it fills."""

    column: int
    field: str


def check_mapping(mapping: Sequence[MappedColumn], columns: Sequence[int]) -> None:
    """Raise Invalid naming every entry that points nowhere or to something taken (D-17)."""
    errors: list[FieldError] = []
    taken_columns: set[int] = set()
    taken_fields: set[str] = set()
    for index, entry in enumerate(mapping):
        if entry.column not in columns:
            errors.append(FieldError(f"/mapping/{index}/column", "unknown_column", {"column": entry.column}))
        elif entry.column in taken_columns:
            errors.append(FieldError(f"/mapping/{index}/column", "column_mapped_twice", {"column": entry.column}))
        if entry.field not in BY_NAME:
            errors.append(FieldError(f"/mapping/{index}/field", "unknown_field", {"field": entry.field}))
        elif entry.field in taken_fields:
            errors.append(FieldError(f"/mapping/{index}/field", "field_mapped_twice", {"field": entry.field}))
        taken_columns.add(entry.column)
        taken_fields.add(entry.field)
    if errors:
        raise Invalid("validation_failed", errors=errors, count=len(errors))


def check_match_fields(match_fields: Sequence[str]) -> None:
    """Raise Invalid unless they are different fields that can be matched, at least one (D-20)."""
    expected = ", ".join(MATCHABLE)
    errors = [
        FieldError(f"/match_fields/{index}", "not_a_match_field", {"expected": expected})
        for index, name in enumerate(match_fields)
        if name not in MATCHABLE or name in match_fields[:index]
    ]
    if not match_fields:
        errors.append(FieldError("/match_fields", "not_a_match_field", {"expected": expected}))
    if errors:
        raise Invalid("validation_failed", errors=errors, count=len(errors))


def check_required(mapped: Mapping[str, int], *, is_mobile_required: bool, language: str) -> None:
    """Raise Invalid required_not_mapped, naming the missing fields in `language` (D-18)."""
    missing = missing_fields(mapped, is_mobile_required=is_mobile_required)
    if missing:
        names = ("、" if language == "zh" else ", ").join(BY_NAME[name].label(language) for name in missing)
        error = FieldError("/mapping", "required_not_mapped", {"fields": names})
        raise Invalid("required_not_mapped", errors=[error], fields=names)


def check_matchable(match_fields: Sequence[str], mapped: Mapping[str, int]) -> None:
    """Raise Invalid match_field_not_mapped unless a column fills at least one match field."""
    if not usable_match_fields(match_fields, mapped):
        error = FieldError("/match_fields", "match_field_not_mapped")
        raise Invalid("match_field_not_mapped", errors=[error])
