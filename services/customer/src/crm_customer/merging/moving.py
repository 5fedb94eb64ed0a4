"""Moving what belongs to losers to the survivor, and back: for each kind one statement, however many records there are."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from crm_customer.merging.children import CHILDREN, LINKS, Child, Link

_KEPT = "merge_id, kind, from_id, record_id, kept, added"
_OF = "moved.merge_id = :merge AND moved.kind = :kind"
# One task of a dispatch is a customer's: a second one goes on as a task of its own.
_FREE_TASKS = text(f"""
    WITH second AS (
        SELECT id, customer_id, dispatch_id FROM tasks
        WHERE customer_id = ANY(:losers) AND dispatch_id IS NOT NULL AND EXISTS (
            SELECT FROM tasks AS other WHERE other.dispatch_id = tasks.dispatch_id AND other.id <> tasks.id
                AND (other.customer_id = :survivor OR other.customer_id = ANY(:losers) AND other.id < tasks.id))
        ORDER BY id FOR UPDATE
    ), freed AS (UPDATE tasks SET dispatch_id = NULL FROM second WHERE tasks.id = second.id)
    INSERT INTO merged_records ({_KEPT})
    SELECT :merge, 'dispatched_task', customer_id, id, jsonb_build_object('dispatch_id', dispatch_id), TRUE FROM second
""")  # noqa: S608
_BIND_TASKS = text("""
    UPDATE tasks SET dispatch_id = CAST(moved.kept ->> 'dispatch_id' AS uuid) FROM merged_records AS moved
    WHERE moved.merge_id = :merge AND moved.kind = 'dispatched_task' AND tasks.id = moved.record_id
        AND tasks.customer_id = moved.from_id AND tasks.dispatch_id IS NULL
""")
# What was added to a record goes back with it.
_FOLLOW = (
    text("""
        UPDATE attachments SET customer_id = activities.customer_id
        FROM merged_records AS moved JOIN activities ON activities.id = moved.record_id
        WHERE moved.merge_id = :merge AND moved.kind = 'activity' AND activities.customer_id = moved.from_id
            AND attachments.activity_id = activities.id AND attachments.customer_id = :survivor
    """),
    text("""
        UPDATE activities AS remark SET customer_id = activities.customer_id
        FROM merged_records AS moved JOIN activities ON activities.id = moved.record_id
        WHERE moved.merge_id = :merge AND moved.kind = 'activity' AND activities.customer_id = moved.from_id
            AND remark.about_id = activities.id AND remark.customer_id = :survivor
    """),
)
# An opportunity stays with an order that was linked to it since, and an order with its opportunity.
_WITH = {
    "opportunity": """NOT EXISTS (
        SELECT FROM orders WHERE orders.opportunity_id = opportunities.id AND NOT EXISTS (
            SELECT FROM merged_records AS along WHERE along.merge_id = :merge AND along.kind = 'order'
                AND along.from_id = moved.from_id AND along.record_id = orders.id))""",
    "order": """(orders.opportunity_id IS NULL OR EXISTS (
        SELECT FROM opportunities
        WHERE opportunities.id = orders.opportunity_id AND opportunities.customer_id = moved.from_id))""",
    # Whoever has come to lie above the loser since stays where they are.
    "child": """NOT EXISTS (
        WITH RECURSIVE above AS (
            SELECT own.parent_customer_id AS id FROM customer_profiles AS own WHERE own.customer_id = moved.from_id
            UNION
            SELECT next.parent_customer_id FROM customer_profiles AS next JOIN above ON next.customer_id = above.id
        ) SELECT FROM above WHERE above.id = customer_profiles.customer_id)""",
}
_PRIMARY = text("""
    UPDATE customer_contacts SET is_primary = TRUE
    WHERE customer_id = :survivor AND contact_id = (
        SELECT record_id FROM merged_records
        WHERE merge_id = :merge AND kind = 'contact' AND CAST(kept ->> 'is_primary' AS boolean)
        ORDER BY array_position(:losers, from_id) LIMIT 1
    ) AND NOT EXISTS (SELECT FROM customer_contacts AS had WHERE had.customer_id = :survivor AND had.is_primary)
    RETURNING contact_id
""")
_NO_PRIMARY = text(
    "UPDATE customer_contacts SET is_primary = FALSE WHERE customer_id = :survivor AND contact_id = :contact"
)


def move(
    session: Session, merge_id: UUID, survivor_id: UUID, loser_ids: Sequence[UUID], owner_id: UUID | None
) -> UUID | None:
    """Let the survivor have everything that locked losers have; `owner_id` is whose it is, None: it lies in a pool.

    Returns the contact that became its primary one, where it had none.
    """
    given = {"merge": merge_id, "survivor": survivor_id, "losers": list(loser_ids), "owner": owner_id}
    session.execute(_FREE_TASKS, given)
    for child in CHILDREN:
        session.execute(_moved(child), given)
    for link in LINKS:
        session.execute(_relinked(link), given)
    return cast("UUID | None", session.scalar(_PRIMARY, given))


def move_back(session: Session, merge_id: UUID, survivor_id: UUID) -> list[dict[str, str]]:
    """Let locked losers have again what the survivor still has of theirs. Returns what stays: kind, id, code."""
    given: dict[str, Any] = {"merge": merge_id, "survivor": survivor_id}
    left = []
    for child in CHILDREN:
        left += _left(session, _moved_back(child), given | {"kind": child.kind}, "moved_since")
    session.execute(_BIND_TASKS, given)
    for statement in _FOLLOW:
        session.execute(statement, given)
    for link in LINKS:
        about = given | {"kind": link.kind}
        session.execute(_unlinked(link), about)
        session.execute(_linked_again(link), about)
        left += _left(session, _still_linked(link), about, "changed_since")
    return left


def unmark_primary(session: Session, survivor_id: UUID, contact_id: UUID) -> None:
    """The contact is the survivor's primary one no longer, if it still is linked."""
    session.execute(_NO_PRIMARY, {"survivor": survivor_id, "contact": contact_id})


def _left(session: Session, statement: TextClause, given: Mapping[str, Any], code: str) -> list[dict[str, str]]:
    return [{"kind": given["kind"], "id": str(id_), "code": code} for id_ in session.scalars(statement, given)]


@cache
def _moved(child: Child) -> TextClause:
    table, column, key = child.table, child.column, child.key
    owner, owned = "CAST(NULL AS jsonb)", ""
    if child.owned:
        pooled = "CAST(:owner AS uuid) IS NULL AND {}owner_id IS NOT NULL"
        owner = f"CASE WHEN {pooled.format('')} THEN jsonb_build_object('owner_id', owner_id) END"
        owned = f", owner_id = CASE WHEN CAST(:owner AS uuid) IS NOT NULL THEN {table}.owner_id END"
    return text(f"""
        WITH found AS (
            SELECT {key} AS id, {column} AS from_id, {owner} AS kept FROM {table}
            WHERE {column} = ANY(:losers) AND NOT ({child.unless}) ORDER BY {key} FOR UPDATE
        ), moved AS (UPDATE {table} SET {column} = :survivor{owned} FROM found WHERE {table}.{key} = found.id)
        INSERT INTO merged_records ({_KEPT}) SELECT :merge, '{child.kind}', from_id, id, kept, TRUE FROM found
    """)  # noqa: S608


@cache
def _moved_back(child: Child) -> TextClause:
    """Answers the ids of those that stay."""
    table, column, key = child.table, child.column, child.key
    owned = ""
    if child.owned:
        owned = f", owner_id = COALESCE({table}.owner_id, CAST(moved.kept ->> 'owner_id' AS uuid))"
    return text(f"""
        WITH back AS (
            UPDATE {table} SET {column} = moved.from_id{owned} FROM merged_records AS moved
            WHERE {_OF} AND {table}.{key} = moved.record_id AND {table}.{column} = :survivor
                AND {_WITH.get(child.kind, "TRUE")}
            RETURNING moved.record_id
        )
        SELECT record_id FROM merged_records AS moved WHERE {_OF} AND record_id NOT IN (SELECT record_id FROM back)
        ORDER BY record_id
    """)  # noqa: S608


@cache
def _relinked(link: Link) -> TextClause:
    """A link goes to the survivor unless it has the like, or an earlier loser does."""
    table, other = link.table, link.other
    names = _COLUMNS[link.kind]
    return text(f"""
        WITH had AS (SELECT {link.group} AS place FROM {table} WHERE customer_id = :survivor),
        gone AS (DELETE FROM {table} WHERE customer_id = ANY(:losers) RETURNING {table}.*, to_jsonb({table}) AS kept),
        ranked AS (
            SELECT gone.*, {link.group} AS place, {link.may} AS may,
                row_number() OVER (PARTITION BY {link.group}, {link.may}
                    ORDER BY array_position(:losers, customer_id), {other}) AS turn
            FROM gone
        ), decided AS (
            SELECT ranked.*, may AND turn = 1 AND NOT EXISTS (SELECT FROM had WHERE had.place = ranked.place) AS added
            FROM ranked
        ), given AS (
            INSERT INTO {table} (customer_id, {other}{names}) SELECT :survivor, {other}{names} FROM decided WHERE added
        )
        INSERT INTO merged_records ({_KEPT}) SELECT :merge, '{link.kind}', customer_id, {other}, kept, added FROM decided
    """)  # noqa: S608


# Attributes that a link takes along. Whether a contact is primary is settled afterwards.
_COLUMNS = {
    "contact": ", relation_type",
    "collaborator": ", can_write, until, added_by, added_at",
    "star": ", color, starred_at",
    "tag": "",
}
_SAME = "{} - 'customer_id' - 'is_primary'"


@cache
def _unlinked(link: Link) -> TextClause:
    table = link.table
    return text(f"""
        DELETE FROM {table} USING merged_records AS moved
        WHERE {_OF} AND moved.added AND {table}.customer_id = :survivor AND {table}.{link.other} = moved.record_id
            AND {_SAME.format(f"to_jsonb({table})")} = {_SAME.format("moved.kept")}
    """)  # noqa: S608


@cache
def _linked_again(link: Link) -> TextClause:
    """A contact that was deleted since is nobody's primary one (B-38)."""
    kept = "moved.kept"
    if link.kind == "contact":
        kept = """moved.kept || jsonb_build_object('is_primary', CAST(moved.kept ->> 'is_primary' AS boolean)
            AND EXISTS (SELECT FROM contacts WHERE contacts.id = moved.record_id AND deleted_at IS NULL))"""
    return text(f"""
        INSERT INTO {link.table} SELECT again.*
        FROM merged_records AS moved, jsonb_populate_record(CAST(NULL AS {link.table}), {kept}) AS again
        WHERE {_OF} AND {link.returns} ON CONFLICT DO NOTHING
    """)  # noqa: S608


@cache
def _still_linked(link: Link) -> TextClause:
    return text(f"""
        SELECT record_id FROM merged_records AS moved JOIN {link.table} ON {link.table}.{link.other} = moved.record_id
        WHERE {_OF} AND moved.added AND {link.table}.customer_id = :survivor ORDER BY record_id
    """)  # noqa: S608
