"""What administrators do to custom fields (A-83). One at a time: keys, labels and numbers are each other's limits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, NotFound, invalid
from chassis.identifiers import new_id
from crm_customer.dictionaries.rules import key_for, repeated_label
from crm_customer.fields.catalogue import CUSTOMERS
from crm_customer.fields.model import CustomField
from crm_customer.fields.queries import KEPT, all_fields, choices_in_use, unknown_roles
from crm_customer.fields.rules import CHOICES, MOST_FIELDS, MOST_FILTERABLE
from crm_customer.versions import stale

SUBJECT = "custom_field"
_NAMES = {"zh": "label_zh", "en": "label_en"}


def add_field(session: Session, actor_id: UUID, values: Mapping[str, Any]) -> CustomField:
    """Add a field. Raises Invalid: options_missing, options_not_possible, option_repeated, role_not_found; Conflict:
    too_many_fields, too_many_filterable_fields, field_key_taken, field_label_taken.
    """
    keys = _locked(session)
    if len(keys) >= MOST_FIELDS:
        raise Conflict("too_many_fields", most=MOST_FIELDS)
    key = values["key"] or key_for(values["en"], keys, "field")
    if key in keys:
        raise Conflict("field_key_taken", key=key)
    others = all_fields(session)
    last = max((field.position for field in others), default=-1)
    given = {_NAMES.get(name, name): value for name, value in values.items() if name not in ("key", "position")}
    position = last + 1 if values["position"] is None else values["position"]
    field = CustomField(**given | {"options": _with_keys(given["options"]), "position": position})
    field.id, field.key, field.version, field.indexed = new_id(), key, 1, False
    _check(session, field, others, field.role_ids)
    session.add(field)
    session.flush()
    _audit(session, "added", field, actor_id, None, {"kind": field.kind} | field.state())
    return field


def change_field(
    session: Session, actor_id: UUID, field_id: UUID, expected: int, values: Mapping[str, Any]
) -> CustomField:
    """Change a field; its key and kind stay. Raises NotFound, Stale; what `add_field` does; Conflict
    field_option_in_use for an option that is missing in the list and that customers have chosen.
    """
    _locked(session)
    field = _found(session, field_id)
    wanted = {_NAMES.get(name, name): value for name, value in values.items()}
    _check_version(field, expected, values)
    if "options" in wanted:
        wanted["options"] = _with_keys(wanted["options"])
        _keep_chosen(session, field, {option["key"] for option in wanted["options"]})
    before = {name: value for name, value in field.state().items() if wanted.get(name, value) != value}
    for name in before:
        setattr(field, name, wanted[name])
    named = [role_id for role_id in field.role_ids if role_id not in before.get("role_ids", field.role_ids)]
    with session.no_autoflush:
        _check(session, field, [other for other in all_fields(session) if other.id != field.id], named)
    if before:
        _count(session, field)
        _audit(session, "changed", field, actor_id, before, {name: wanted[name] for name in before})
    return field


def delete_field(session: Session, actor_id: UUID, field_id: UUID, expected: int, now: datetime) -> None:
    """Hide a field and its values for 30 days; then due work removes them. Raises NotFound, Stale."""
    _locked(session)
    field = _found(session, field_id)
    _check_version(field, expected, {})
    field.deleted_at = now
    _count(session, field)
    _audit(session, "deleted", field, actor_id, {"label_zh": field.label_zh}, None)


def restore_field(session: Session, actor_id: UUID, field_id: UUID, now: datetime) -> CustomField:
    """Show a hidden field again, with the values it had; one that is not hidden stays as it is.

    Raises NotFound, after 30 days too; Conflict field_label_taken, too_many_filterable_fields.
    """
    _locked(session)
    field = _found(session, field_id, since=now - KEPT)
    if field.deleted_at is not None:
        _check(session, field, all_fields(session), [])
        field.deleted_at = None
        _count(session, field)
        _audit(session, "restored", field, actor_id, None, {"label_zh": field.label_zh})
    return field


def _locked(session: Session) -> set[str]:
    """Wait until nobody else changes fields. Returns all keys, those of hidden fields too."""
    lock(session, "custom-fields")
    return set(session.scalars(select(CustomField.key)))


def _found(session: Session, field_id: UUID, since: datetime | None = None) -> CustomField:
    """The field, hidden ones only where they were hidden after `since`."""
    field = session.get(CustomField, field_id, with_for_update=True)
    if field is None or (field.deleted_at is not None and (since is None or field.deleted_at <= since)):
        raise NotFound("not_found")
    return field


def _check(session: Session, field: CustomField, others: Sequence[CustomField], named: Sequence[UUID]) -> None:
    """`named`: roles that are to see the field from now on; one that had been before may be gone meanwhile."""
    errors = _wrong_options(field)
    unknown = unknown_roles(session, named)
    errors += [
        FieldError(f"/role_ids/{place}", "role_not_found")
        for place, role_id in enumerate(field.role_ids)
        if role_id in unknown
    ]
    if errors:
        raise invalid(*errors)
    if field.filterable and sum(other.filterable for other in others) >= MOST_FILTERABLE:
        raise Conflict("too_many_filterable_fields", most=MOST_FILTERABLE)
    called = [(other.label_zh, other.label_en) for other in others] + [(known.zh, known.en) for known in CUSTOMERS]
    label = repeated_label((field.label_zh, field.label_en), called)
    if label is not None:
        raise Conflict("field_label_taken", label=label)


def _wrong_options(field: CustomField) -> list[FieldError]:
    if field.kind not in CHOICES:
        return [FieldError("/options", "options_not_possible")] if field.options else []
    if not any(option["active"] for option in field.options):
        return [FieldError("/options", "options_missing")]
    texts = [(option["key"], option["zh"], option["en"]) for option in field.options]
    repeated = [place for place, own in enumerate(texts) if repeated_label(own, texts[:place])]
    return [FieldError(f"/options/{place}", "option_repeated") for place in repeated]


def _with_keys(options: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Options as they are kept: those without a key get one."""
    taken = {option["key"] for option in options if option["key"]}
    kept = []
    for option in options:
        key = option["key"] or key_for(option["en"], taken, "option")
        taken.add(key)
        kept.append({**option, "key": key})
    return kept


def _keep_chosen(session: Session, field: CustomField, keys: set[str]) -> None:
    missing = {option["key"] for option in field.options} - keys
    used = choices_in_use(session, field, missing) if missing else {}
    if used:
        key = min(used)
        raise Conflict("field_option_in_use", key=key, records=used[key])


def _check_version(field: CustomField, expected: int, values: Mapping[str, Any]) -> None:
    if field.version != expected:
        raise stale(field, values, {name: getattr(field, _NAMES.get(name, name)) for name in values})


def _count(session: Session, field: CustomField) -> None:
    field.version += 1
    session.flush()


def _audit(session: Session, act: str, field: CustomField, actor_id: UUID, before: Any, after: Any) -> None:
    about = {"key": field.key}
    sides = (values and about | values for values in (before, after))
    record_audit(session, AuditEntry(f"{SUBJECT}.{act}", SUBJECT, field.id, actor_id, *sides))
