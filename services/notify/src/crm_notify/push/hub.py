"""All streams of a push process, woken by PostgreSQL's LISTEN (the decision is in the README)."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

import psycopg
from prometheus_client import Counter, Gauge

from chassis.auth.tokens import Claims
from chassis.errors import Unavailable
from chassis.logs import get_logger
from crm_notify.notifications.commands import NOTIFICATIONS_CHANNEL, PROGRESS_CHANNEL
from crm_notify.push.queries import active_epochs, unread_counts
from crm_notify.push.rules import MEMBERS_CHANNEL, PING_SECONDS, Stream

STREAMS_A_MEMBER = 10
_RECONNECT_SECONDS = 1.0
_streams = Gauge("crm_push_streams", "Streams of notifications: open now, and the most (push; sum)", ["state"])
_hints = Counter("crm_push_hints_total", "Hints given to streams (push; sum)")
log = get_logger(__name__)


class Hub:
    """Opens and ends streams and hands them hints. Used from one event loop alone."""

    def __init__(self, database_url: str, most_streams: int) -> None:
        self._url = database_url
        self._most = most_streams
        self._streams: dict[UUID, set[Stream]] = defaultdict(set)
        self._count = 0
        self._listening = False
        _streams.labels("limit").set(most_streams)
        _streams.labels("open").set(0)

    def open(self, claims: Claims) -> Stream:
        """A new stream. Raises Unavailable when the member or the process has too many."""
        if self._count >= self._most or len(self._streams.get(claims.member_id, ())) >= STREAMS_A_MEMBER:
            raise Unavailable("too_many_streams", retry_after_seconds=30)
        stream = Stream(claims)
        self._streams[claims.member_id].add(stream)
        self._count += 1
        _streams.labels("open").set(self._count)
        return stream

    def forget(self, stream: Stream) -> None:
        """Let go of a stream that has ended."""
        streams = self._streams[stream.member_id]
        self._count -= stream in streams
        streams.discard(stream)
        if not streams:
            del self._streams[stream.member_id]
        _streams.labels("open").set(self._count)

    def end_all(self) -> None:
        """End every stream: the process stops."""
        for stream in self._of(list(self._streams)):
            stream.end()

    def check(self) -> None:
        """Raises while nothing is heard from the database."""
        if not self._listening:
            raise RuntimeError("not listening")

    async def run(self) -> None:
        """Listen for ever; survives loss of the database."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=3, options="-c timezone=UTC -c statement_timeout=30s"
                ) as connection:
                    await self._listen(connection)
            except Exception as error:
                self._listening = False
                log.warning("push_interrupted", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen(self, connection: psycopg.AsyncConnection[Any]) -> None:
        for channel in (NOTIFICATIONS_CHANNEL, MEMBERS_CHANNEL, PROGRESS_CHANNEL):
            await connection.execute(f"LISTEN {channel}")
        self._listening = True
        # Whatever was said before nobody heard.
        await self._hint(connection, list(self._streams))
        checked_at = 0.0
        while True:
            # Looking again at every ping also finds what no notice told, such as a rebuilt directory.
            if time.monotonic() - checked_at >= PING_SECONDS:
                await self._end_revoked(connection, list(self._streams))
                checked_at = time.monotonic()
            heard: dict[str, set[str]] = defaultdict(set)
            async for notice in connection.notifies(timeout=PING_SECONDS, stop_after=1):
                heard[notice.channel].update(notice.payload.split(","))
            await self._end_revoked(connection, set(map(UUID, heard[MEMBERS_CHANNEL])) & self._streams.keys())
            await self._hint(connection, set(map(UUID, heard[NOTIFICATIONS_CHANNEL])) & self._streams.keys())
            self._tell_progress(heard[PROGRESS_CHANNEL])

    async def _hint(self, connection: psycopg.AsyncConnection[Any], member_ids: Collection[UUID]) -> None:
        if not member_ids:
            return
        unread = await unread_counts(connection, member_ids)
        for stream in self._of(member_ids):
            stream.hint(unread[stream.member_id])
            _hints.inc()

    def _tell_progress(self, words: Collection[str]) -> None:
        for word in words:
            member_id, kind, id_ = word.split(":")
            for stream in self._of([UUID(member_id)]):
                stream.progress(kind, id_)
                _hints.inc()

    async def _end_revoked(self, connection: psycopg.AsyncConnection[Any], member_ids: Collection[UUID]) -> None:
        if not member_ids:
            return
        epochs = await active_epochs(connection, member_ids)
        for stream in self._of(member_ids):
            if stream.epoch < epochs.get(stream.member_id, stream.epoch + 1):
                stream.end()

    def _of(self, member_ids: Collection[UUID]) -> list[Stream]:
        return [stream for member_id in member_ids for stream in self._streams.get(member_id, ())]
