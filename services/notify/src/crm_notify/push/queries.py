"""What the push process asks of the database, for all members with a stream at once."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from crm_notify.paging import COUNTED_ROWS

# As `notifications.queries.unread_count` counts for one.
_UNREAD = """
    SELECT asked.member_id, count(unread.one) FROM unnest(%s) AS asked (member_id) LEFT JOIN LATERAL (
        SELECT 1 AS one FROM notifications
        WHERE notifications.member_id = asked.member_id
            AND in_app AND read_at IS NULL AND dismissed_at IS NULL AND snoozed_until IS NULL
        LIMIT %s
    ) AS unread ON TRUE GROUP BY asked.member_id
"""
_EPOCHS = "SELECT id, epoch FROM directory_members WHERE id = ANY(%s) AND active"


async def unread_counts(connection: AsyncConnection[Any], member_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many notifications each of these members has not read, COUNTED_ROWS at most."""
    return dict(await (await connection.execute(_UNREAD, (list(member_ids), COUNTED_ROWS))).fetchall())


async def active_epochs(connection: AsyncConnection[Any], member_ids: Collection[UUID]) -> dict[UUID, int]:
    """The epoch of each of these members who is active."""
    return dict(await (await connection.execute(_EPOCHS, (list(member_ids),))).fetchall())
