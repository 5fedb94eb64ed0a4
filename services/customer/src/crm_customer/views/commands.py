"""What members do to their own filters and columns. Each function runs in the transaction its edge has opened."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import any_, delete, func, literal, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Uuid

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, invalid
from chassis.identifiers import new_id
from crm_customer.versions import stale
from crm_customer.views.model import ColumnLayout, SavedFilter
from crm_customer.views.queries import filters_of, layout_of, own_filter
from crm_customer.views.rules import OPERATIONS, FilterPage, ListPage

MOST_FILTERS = 50
_FILTER, _LAYOUT = "saved_filter", "column_layout"


def save_filter(session: Session, member_id: UUID, page: FilterPage, name: str, content: dict[str, Any]) -> SavedFilter:
    """Keep a filter, which was checked, as the last of the page (I-07, I-10). Raises Conflict."""
    _lock(session, member_id)
    others = filters_of(session, member_id, page)
    if len(others) >= MOST_FILTERS:
        raise Conflict("too_many_filters", most=MOST_FILTERS)
    _require_free(others, name)
    position = max((other.position for other in others), default=-1) + 1
    saved = SavedFilter(
        id=new_id(), version=1, member_id=member_id, page=page, name=name, filter=content, position=position
    )
    session.add(saved)
    _audit(session, "saved_filter.created", saved, None, saved.state())
    return saved


def change_filter(
    session: Session, member_id: UUID, filter_id: UUID, expected: int, changes: dict[str, Any]
) -> SavedFilter:
    """Rename, replace or move a filter. Raises NotFound, Stale, Conflict."""
    _lock(session, member_id)
    saved = own_filter(session, member_id, filter_id)
    if saved.version != expected:
        raise stale(saved)
    others = [one for one in filters_of(session, member_id, FilterPage(saved.page)) if one.id != saved.id]
    before, position = saved.state(), changes.pop("position", None)
    if "name" in changes:
        _require_free(others, changes["name"])
    for name, value in changes.items():
        setattr(saved, name, value)
    if position is not None:
        order = [*others[:position], saved, *others[position:]]
        saved.position = order.index(saved)
        _put_in_order(session, order)
    after = saved.state()
    if after != before:
        saved.version += 1
        changed = [name for name in after if after[name] != before[name]]
        _audit(session, "saved_filter.changed", saved, {n: before[n] for n in changed}, {n: after[n] for n in changed})
    return saved


def forget_filter(session: Session, member_id: UUID, filter_id: UUID, expected: int) -> None:
    """Take a filter away. Raises NotFound, Stale."""
    _lock(session, member_id)
    saved = own_filter(session, member_id, filter_id)
    if saved.version != expected:
        raise stale(saved)
    session.delete(saved)
    _audit(session, "saved_filter.deleted", saved, saved.state(), None)


def choose_columns(
    session: Session, member_id: UUID, page: ListPage, columns: Sequence[str], available: Sequence[str]
) -> list[str]:
    """Keep which columns a page shows (I-11); the operations need not be named and stay (I-12). Raises Invalid."""
    wrong = [
        FieldError(f"/columns/{place}", code, {"value": key[:100]})
        for place, key in enumerate(columns)
        if (code := _wrong(columns, place, available))
    ]
    kept = [key for key in columns if key != OPERATIONS]
    if not wrong and not kept:
        wrong = [FieldError("/columns", "too_short", {"min_length": 1})]
    if wrong:
        raise invalid(*wrong)
    _lock(session, member_id)
    layout = layout_of(session, member_id, page)
    before = layout.columns if layout else None
    if layout is None:
        session.add(ColumnLayout(member_id=member_id, page=page, columns=kept))
    else:
        layout.columns = kept
    if before != kept:
        _audit_layout(session, "column_layout.changed", member_id, page, before, kept)
    return kept


def forget_columns(session: Session, member_id: UUID, page: ListPage) -> None:
    """Back to the usual columns."""
    mine = (ColumnLayout.member_id == member_id, ColumnLayout.page == page)
    before = session.scalar(delete(ColumnLayout).where(*mine).returning(ColumnLayout.columns))
    if before is not None:
        _audit_layout(session, "column_layout.deleted", member_id, page, before, None)


def _wrong(columns: Sequence[str], place: int, available: Sequence[str]) -> str | None:
    key = columns[place]
    if key in columns[:place]:
        return "column_repeated"
    return None if key in available or key == OPERATIONS else "unknown_column"


def _lock(session: Session, member_id: UUID) -> None:
    """One change of a member's filters and columns at a time: names, numbers and places depend on all of them."""
    lock(session, f"views {member_id}")


def _require_free(others: Sequence[SavedFilter], name: str) -> None:
    if any(other.name == name for other in others):
        raise Conflict(
            "filter_name_taken", errors=[FieldError("/name", "filter_name_taken", {"value": name})], value=name
        )


def _put_in_order(session: Session, order: Sequence[SavedFilter]) -> None:
    ids = literal([saved.id for saved in order], ARRAY(Uuid))
    session.execute(
        update(SavedFilter)
        .where(SavedFilter.id == any_(ids))
        .values(position=func.array_position(ids, SavedFilter.id) - 1)
        .execution_options(synchronize_session=False)
    )


def _audit(session: Session, action: str, saved: SavedFilter, before: Any, after: Any) -> None:
    record_audit(session, AuditEntry(action, _FILTER, saved.id, saved.member_id, before, after))


def _audit_layout(
    session: Session, action: str, member_id: UUID, page: ListPage, before: Sequence[str] | None, after: Any
) -> None:
    given = [None if columns is None else {"page": page, "columns": columns} for columns in (before, after)]
    record_audit(session, AuditEntry(action, _LAYOUT, member_id, member_id, *given))
