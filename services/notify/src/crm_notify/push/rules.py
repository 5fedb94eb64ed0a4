"""One open stream and the frames it carries (server-sent events)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from uuid import UUID

from chassis.auth.tokens import Claims

MEMBERS_CHANNEL = "members"
PING_SECONDS = 15.0
_RETRY = "retry: 3000\n\n"
_PING = ": ping\n\n"


class Stream:
    """One browser's stream. Hints replace each other: a slow reader gets the newest number, never a backlog."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._woken = asyncio.Event()
        self._unread: int | None = None
        self._progress: dict[tuple[str, str], None] = {}
        self._ended = False

    @property
    def member_id(self) -> UUID:
        """Whose stream it is."""
        return self._claims.member_id

    @property
    def epoch(self) -> int:
        """The epoch of the token that opened it: a higher one of the member ends it."""
        return self._claims.epoch

    def hint(self, unread: int) -> None:
        """Say that the notifications changed, and how many are unread now."""
        self._unread = unread
        self._woken.set()

    def progress(self, kind: str, id_: str) -> None:
        """Say that an import or export got further; what waits to be said of it already is said once."""
        self._progress[kind, id_] = None
        self._woken.set()

    def end(self) -> None:
        """End it after what is being written."""
        self._ended = True
        self._woken.set()

    async def frames(self) -> AsyncIterator[str]:
        """What is written to the browser, until the token expires or the stream is ended."""
        yield _RETRY
        while (left := self._claims.expires_at - time.time()) > 0:
            try:
                await asyncio.wait_for(self._woken.wait(), min(PING_SECONDS, left))
            except TimeoutError:
                yield _PING
                continue
            self._woken.clear()
            if self._ended:
                return
            if self._unread is not None:
                unread, self._unread = self._unread, None
                yield _hint(kind="notifications", unread=unread)
            made, self._progress = self._progress, {}
            for kind, id_ in made:
                yield _hint(kind=kind, id=id_)


def _hint(**content: str | int) -> str:
    return f"event: hint\ndata: {json.dumps(content)}\n\n"
