"""The steps of a scan. Each is one transaction that says how far it came, so that whoever follows a killed worker goes on there.

Keys and pairs are worked in pages: memory does not grow with the base, but for the pairs that are left in the end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Table, delete, func, select, text
from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.identifiers import new_id
from chassis.runtime import Runtime
from crm_customer.customers.model import Customer
from crm_customer.database import copy_rows
from crm_customer.duplicate_scans.model import (
    DistinctPair,
    DuplicateGroup,
    DuplicateGroupMember,
    DuplicateScan,
    ScanKey,
    ScanPair,
)
from crm_customer.duplicate_scans.queries import active_scan
from crm_customer.duplicate_scans.rules import Group, GroupStatus, Pair, Status, Two, compared, grouped
from crm_customer.duplicates.companies import features_of
from crm_customer.duplicates.queries import frequent_grams
from crm_customer.matching.rules import Counted, blocking_keys, likeness

_CUSTOMERS_AT_ONCE, _KEYS_AT_ONCE, _FORGOTTEN_AT_ONCE, _PAIRS_ASKED = 1000, 5000, 50_000, 1000
_LIKELY = ("same", "likely")
_KEEP_PAIRS = text("""
    INSERT INTO duplicate_pairs (scan_id, first_id, second_id, score, level, reasons)
    SELECT :scan_id, given.first_id, given.second_id, given.score, given.level, string_to_array(given.reasons, ' ')
    FROM unnest(CAST(:first AS uuid[]), CAST(:second AS uuid[]), CAST(:score AS real[]), CAST(:level AS text[]),
        CAST(:reasons AS text[])) AS given (first_id, second_id, score, level, reasons)
    ON CONFLICT DO NOTHING RETURNING 1
""")
_FORGET = text("""
    DELETE FROM duplicate_scan_keys WHERE ctid = ANY (ARRAY(
        SELECT keys.ctid FROM duplicate_scan_keys AS keys JOIN duplicate_scans ON duplicate_scans.id = keys.scan_id
        WHERE ended_at IS NOT NULL LIMIT :most))
""")
_FORGET_PAIRS = text("""
    DELETE FROM duplicate_pairs USING duplicate_scans WHERE duplicate_scans.id = scan_id AND ended_at IS NOT NULL
""")


def scan_on(runtime: Runtime) -> bool:
    """One step of the scan that goes on. True: more is left."""
    with runtime.database.transaction() as session:
        scan = active_scan(session, lock=True)
        if scan is None:
            return False
        _STEPS[Status(scan.status)](session, scan, now())
        return True


def forget_keys(runtime: Runtime) -> bool:
    """Delete what scans that are over have kept to compare. True: more is left."""
    with runtime.database.transaction() as session:
        session.execute(_FORGET_PAIRS)
        gone: Any = session.execute(_FORGET, {"most": _FORGOTTEN_AT_ONCE})
        return bool(gone.rowcount == _FORGOTTEN_AT_ONCE)


def _key(session: Session, scan: DuplicateScan, _at: datetime) -> None:
    """Keep the blocking keys of the next thousand customers, in id order."""
    page = select(Customer.id).where(Customer.deleted_at.is_(None)).order_by(Customer.id).limit(_CUSTOMERS_AT_ONCE)
    ids = session.scalars(page.where(Customer.id > UUID(scan.cursor)) if scan.cursor else page).all()
    if not ids:
        keys = session.scalar(select(func.count()).select_from(ScanKey).where(ScanKey.scan_id == scan.id)) or 0
        _go_on(scan, Status.COMPARING, keys)
        return
    rarity = Counted(*frequent_grams(session))
    rows = [
        (scan.id, key, customer_id)
        for customer_id, features in features_of(session, ids).items()
        for key in blocking_keys(features, rarity)
    ]
    copy_rows(session, _table(ScanKey), ("scan_id", "key", "customer_id"), rows)
    scan.cursor, scan.done = str(ids[-1]), scan.done + len(ids)


def _compare(session: Session, scan: DuplicateScan, _at: datetime) -> None:
    """Compare those who share one of the next keys, in the order of keys, and keep who is likely one company."""
    rows = _page_of_keys(session, scan)
    if not rows:
        _go_on(scan, Status.GROUPING, 1)
        return
    holders = [[row.customer_id for row in of_key] for _, of_key in groupby(rows, lambda row: row.key)]
    pairs = list({two for ids in holders if len(ids) > 1 for two in compared(ids)})
    scan.pairs += _keep_pairs(session, scan, pairs)
    scan.cursor, scan.done = rows[-1].key, scan.done + len(rows)


def _page_of_keys(session: Session, scan: DuplicateScan) -> Sequence[Any]:
    """The next keys with all who hold them; of one that has more holders than a page, as many as fit."""
    wanted = (ScanKey.scan_id == scan.id, ScanKey.key > scan.cursor)
    page = select(ScanKey.key, ScanKey.customer_id).where(*wanted).order_by(ScanKey.key, ScanKey.customer_id)
    rows = session.execute(page.limit(_KEYS_AT_ONCE)).all()
    if len(rows) < _KEYS_AT_ONCE:
        return rows
    return [row for row in rows if row.key != rows[-1].key] or rows


def _keep_pairs(session: Session, scan: DuplicateScan, pairs: Sequence[Two]) -> int:
    known, rarity = features_of(session, list({id_ for two in pairs for id_ in two})), Counted(*frequent_grams(session))
    found = [
        (first, second, alike)
        for first, second in pairs
        if first in known and second in known
        for alike in [likeness(known[first], known[second], rarity)]
        if alike.level in _LIKELY
    ]
    if not found:
        return 0
    given = {
        "first": [first for first, _, _ in found],
        "second": [second for _, second, _ in found],
        "score": [alike.score for _, _, alike in found],
        "level": [alike.level for _, _, alike in found],
        "reasons": [" ".join(alike.reasons) for _, _, alike in found],
    }
    return len(session.execute(_KEEP_PAIRS, {"scan_id": scan.id, **given}).all())


def _group(session: Session, scan: DuplicateScan, at: datetime) -> None:
    """Join the pairs to groups, which take the place of the open ones of scans before."""
    best = select(ScanPair.first_id, ScanPair.second_id, ScanPair.score, ScanPair.reasons)
    rows = session.execute(
        best.where(ScanPair.scan_id == scan.id).order_by(ScanPair.score.desc(), ScanPair.first_id, ScanPair.second_id)
    )
    pairs = [Pair(row.first_id, row.second_id, row.score, tuple(row.reasons)) for row in rows]
    groups = grouped(pairs, _distinct(session, pairs))
    _replace_open(session, scan, groups, at)
    scan.status, scan.ended_at, scan.groups, scan.done = Status.FINISHED.value, at, len(groups), 1
    scan.touch(at)


def _distinct(session: Session, pairs: Sequence[Pair]) -> set[Two]:
    """Pairs that somebody has said to be distinct, with a customer of these."""
    ids = list({id_ for pair in pairs for id_ in (pair.first, pair.second)})
    found: set[Two] = set()
    for start in range(0, len(ids), _PAIRS_ASKED):
        some = ids[start : start + _PAIRS_ASKED]
        said = select(DistinctPair.first_id, DistinctPair.second_id).where(DistinctPair.first_id.in_(some))
        found |= {(row.first_id, row.second_id) for row in session.execute(said)}
    return found


def _replace_open(session: Session, scan: DuplicateScan, groups: Iterable[Group], at: datetime) -> None:
    older = select(DuplicateGroup.id).where(DuplicateGroup.status == GroupStatus.OPEN.value)
    silent: Mapping[str, Any] = {"synchronize_session": False}
    member = DuplicateGroupMember
    session.execute(delete(member).where(member.group_id.in_(older)), execution_options=silent)
    session.execute(delete(DuplicateGroup).where(DuplicateGroup.id.in_(older)), execution_options=silent)
    rows, members = [], []
    for group in groups:
        group_id = new_id()
        rows.append((group_id, scan.id, GroupStatus.OPEN.value, group.score, 1, at))
        members += [(group_id, id_, pair.score, list(pair.reasons)) for id_, pair in group.members.items()]
    columns = ("id", "scan_id", "status", "score", "version", "updated_at")
    copy_rows(session, _table(DuplicateGroup), columns, rows)
    copy_rows(session, _table(member), ("group_id", "customer_id", "score", "reasons"), members)


def _go_on(scan: DuplicateScan, status: Status, total: int) -> None:
    scan.status, scan.cursor, scan.done, scan.total = status.value, "", 0, total


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table


_STEPS: Mapping[Status, Callable[[Session, DuplicateScan, datetime], None]] = {
    Status.KEYING: _key,
    Status.COMPARING: _compare,
    Status.GROUPING: _group,
}
