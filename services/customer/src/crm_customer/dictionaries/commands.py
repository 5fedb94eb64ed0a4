"""What administrators do to options (A-82, X-21). One at a time: keys and labels are each other's limits."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, NotFound, invalid
from crm_customer.dictionaries.model import DictionaryOption
from crm_customer.dictionaries.queries import all_options, uses
from crm_customer.dictionaries.rules import (
    ALL,
    CLOSED,
    MOST_OPTIONS,
    RANGES,
    key_for,
    repeated_label,
)
from crm_customer.versions import stale

SUBJECT = "dictionary_option"
_NAMES = {"zh": "label_zh", "en": "label_en"}


def add_option(session: Session, actor_id: UUID, dictionary: str, values: Mapping[str, Any]) -> DictionaryOption:
    """Add an option. Raises NotFound, Invalid not_a_range; Conflict dictionary_closed, too_many_options,
    option_key_taken, option_label_taken.
    """
    options = _locked(session, dictionary)
    if dictionary in CLOSED:
        raise Conflict("dictionary_closed")
    if len(options) >= MOST_OPTIONS:
        raise Conflict("too_many_options", most=MOST_OPTIONS)
    _check_range(dictionary, values)
    keys = {option.key for option in options}
    key = values["key"] or key_for(values["en"], keys, "option")
    if key in keys:
        raise Conflict("option_key_taken", key=key)
    last = max((option.position for option in options), default=-1)
    given = {"position": last + 1} | {
        _NAMES.get(name, name): value for name, value in values.items() if value is not None
    }
    option = DictionaryOption(**given | {"key": key}, dictionary=dictionary, built_in=False, active=True, version=1)
    _check_labels(option, options)
    session.add(option)
    session.flush()
    _audit(session, "added", option, actor_id, None, option.state())
    return option


def change_option(
    session: Session, actor_id: UUID, address: tuple[str, str], expected: int, values: Mapping[str, Any]
) -> DictionaryOption:
    """Change labels, order, or whether it is offered, of the option at `address` (dictionary, key).

    Raises NotFound, Stale; Invalid not_a_range; Conflict dictionary_closed, option_label_taken.
    """
    options = _locked(session, address[0])
    option = _found(options, address[1])
    wanted = {_NAMES.get(name, name): value for name, value in values.items()}
    _check_version(option, expected, values)
    _check_range(option.dictionary, values)
    if option.dictionary in CLOSED and not wanted.get("active", True):
        raise Conflict("dictionary_closed")
    before = {name: value for name, value in option.state().items() if wanted.get(name, value) != value}
    for name in before:
        setattr(option, name, wanted[name])
    _check_labels(option, options)
    if before:
        option.version += 1
        session.flush()
        _audit(session, "changed", option, actor_id, before, {name: wanted[name] for name in before})
    return option


def remove_option(session: Session, actor_id: UUID, address: tuple[str, str], expected: int) -> None:
    """Delete an option that nobody has chosen. Raises NotFound, Stale; Conflict option_built_in, option_in_use."""
    option = _found(_locked(session, address[0]), address[1])
    _check_version(option, expected, {})
    if option.built_in:
        raise Conflict("option_built_in")
    records = uses(session, option)
    if records:
        raise Conflict("option_in_use", records=records)
    session.delete(option)
    _audit(session, "removed", option, actor_id, option.state(), None)


def _locked(session: Session, dictionary: str) -> Sequence[DictionaryOption]:
    """The options of a dictionary, while nobody else changes any."""
    if dictionary not in ALL:
        raise NotFound("not_found")
    lock(session, "dictionaries")
    return [option for option in all_options(session) if option.dictionary == dictionary]


def _found(options: Sequence[DictionaryOption], key: str) -> DictionaryOption:
    found = next((option for option in options if option.key == key), None)
    if found is None:
        raise NotFound("not_found")
    return found


def _check_version(option: DictionaryOption, expected: int, values: Mapping[str, Any]) -> None:
    if option.version != expected:
        raise stale(option, values, {name: getattr(option, _NAMES.get(name, name)) for name in values})


def _check_range(dictionary: str, values: Mapping[str, Any]) -> None:
    if values.get("at_least") is not None and dictionary not in RANGES:
        raise invalid(FieldError("/at_least", "not_a_range"))


def _check_labels(option: DictionaryOption, options: Sequence[DictionaryOption]) -> None:
    others = ((one.key, one.label_zh, one.label_en) for one in options if one.key != option.key)
    label = repeated_label((option.label_zh, option.label_en), others)
    if label is not None:
        raise Conflict("option_label_taken", label=label)


def _audit(session: Session, act: str, option: DictionaryOption, actor_id: UUID, before: Any, after: Any) -> None:
    about = {"dictionary": option.dictionary, "key": option.key}
    entry = AuditEntry(
        f"{SUBJECT}.{act}", SUBJECT, option.subject_id, actor_id, before and about | before, after and about | after
    )
    record_audit(session, entry)
