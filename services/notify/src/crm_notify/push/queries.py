"""What the push process asks of the database, for all members with a stream at once."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

_UNREAD = """
    SELECT member_id, count(*) FROM notifications
    WHERE member_id = ANY(%s) AND in_app AND read_at IS NULL GROUP BY member_id
"""
_EPOCHS = "SELECT id, epoch FROM directory_members WHERE id = ANY(%s) AND active"


async def unread_counts(connection: AsyncConnection[Any], member_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many notifications each of these members has not read."""
    found = await (await connection.execute(_UNREAD, (list(member_ids),))).fetchall()
    return {**dict.fromkeys(member_ids, 0), **dict(found)}


async def active_epochs(connection: AsyncConnection[Any], member_ids: Collection[UUID]) -> dict[UUID, int]:
    """The epoch of each of these members who is active."""
    return dict(await (await connection.execute(_EPOCHS, (list(member_ids),))).fetchall())
