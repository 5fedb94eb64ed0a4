"""One request being answered: its actor, parsed body and query, and the transaction of its command."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

import flask
from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from chassis.auth.actors import Actor
from chassis.auth.tokens import Claims
from chassis.database.tables import idempotency_keys
from chassis.errors import Invalid, Malformed, VersionRequired
from chassis.http.api import BodyT, QueryT, Route
from chassis.runtime import Runtime

KEY_PATTERN = r"^[\x21-\x7e]{1,128}$"
ETAG_PATTERN = r'^(?:W/)?"([0-9]{1,18})"$'
ReplyT = TypeVar("ReplyT", bound=BaseModel)
NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Call(Generic[BodyT, QueryT]):
    """What a view gets. `signed_in` is None on routes open to anyone."""

    runtime: Runtime
    route: Route
    body: BodyT
    query: QueryT
    signed_in: tuple[Claims, Actor] | None
    language: str

    @property
    def actor(self) -> Actor:
        """The member who calls."""
        assert self.signed_in is not None, "route is open to anyone"
        return self.signed_in[1]

    @property
    def claims(self) -> Claims:
        """The claims of the access token."""
        assert self.signed_in is not None, "route is open to anyone"
        return self.signed_in[0]

    def expected_version(self) -> int:
        """The version in If-Match. Raises VersionRequired when it is missing, Malformed when it is not one of ours."""
        header = flask.request.headers.get("If-Match")
        if header is None:
            raise VersionRequired("version_required")
        match = re.match(ETAG_PATTERN, header.strip())
        if match is None:
            raise Malformed("version_malformed")
        return int(match.group(1))

    def command(self, work: Callable[[Session], ReplyT], *, content: bytes | None = None) -> ReplyT:
        """Run one command in one transaction and return its reply.

        With an Idempotency-Key the reply is stored in the same transaction: a repetition gets it again without a
        second effect, a concurrent one waits for the first, a failure stores nothing. Same key with another
        request: Invalid idempotency_key_reused. `content` (a digest) stands for the body where the view has read
        that as a stream.
        """
        key = flask.request.headers.get("Idempotency-Key") if self.route.idempotent else None
        with self.runtime.database.transaction() as session:
            if key is None:
                return work(session)
            return self._once(session, key, work, content)

    def earlier(self, *, content: bytes | None = None) -> BaseModel | None:
        """The reply to an earlier request with the same Idempotency-Key: `command` with this `content` would give it again.

        For a view that asks other services before its command: a repetition asks nobody. Raises what `command` does.
        """
        key = flask.request.headers.get("Idempotency-Key") if self.route.idempotent else None
        if key is None:
            return None
        with self.runtime.database.reading() as session:
            return self._stored_reply(session, key, _request_hash(content))

    @property
    def replayed(self) -> bool:
        """Whether `command` answered with the reply of an earlier request with the same Idempotency-Key."""
        return bool(flask.g.get("idempotent_replayed"))

    def amend(self, session: Session, reply: BaseModel) -> None:
        """Let repetitions get `reply` instead of what `command` stored: for a reply that a call after the commit
        completes. Without an Idempotency-Key there is nothing to do.
        """
        key = flask.request.headers.get("Idempotency-Key") if self.route.idempotent else None
        if key is not None:
            session.execute(update(idempotency_keys).where(self._same(key)).values(reply=_stored(reply)))

    def _same(self, key: str) -> ColumnElement[bool]:
        table = idempotency_keys.c
        return and_(table.member_id == self._key_owner(), table.route == self.route.operation_id, table.key == key)

    def _key_owner(self) -> UUID:
        return self.signed_in[1].id if self.signed_in else NOBODY

    def _once(
        self, session: Session, key: str, work: Callable[[Session], ReplyT], content: bytes | None = None
    ) -> ReplyT:
        if not re.match(KEY_PATTERN, key):
            raise Malformed("idempotency_key_malformed")
        table = idempotency_keys
        request_hash = _request_hash(content)
        identity = {"member_id": self._key_owner(), "route": self.route.operation_id, "key": key}
        claimed = session.scalar(
            insert(table).values(**identity, request_hash=request_hash).on_conflict_do_nothing().returning(table.c.key)
        )
        same = self._same(key)
        if claimed is None:
            return cast(ReplyT, self._stored_reply(session, key, request_hash))
        reply = work(session)
        session.execute(update(table).where(same).values(status=self.route.status, reply=_stored(reply)))
        return reply

    def _stored_reply(self, session: Session, key: str, request_hash: bytes) -> BaseModel | None:
        """The reply kept for the key, None when it is new. Raises Invalid idempotency_key_reused."""
        table = idempotency_keys.c
        stored = session.execute(select(table.request_hash, table.reply).where(self._same(key))).one_or_none()
        if stored is None:
            return None
        if stored.request_hash != request_hash:
            raise Invalid("idempotency_key_reused")
        flask.g.idempotent_replayed = True
        return cast(BaseModel, cast(Any, self.route.reply).model_validate_json(stored.reply))


def _stored(reply: BaseModel) -> bytes:
    return reply.model_dump_json().encode()


def _request_hash(content: bytes | None) -> bytes:
    request = flask.request
    body = request.get_data(cache=True) if content is None else content
    return hashlib.sha256(b"\0".join((request.full_path.encode(), body))).digest()
