"""GET /api/v1/notifications/stream: server-sent events with hints; the browser then reads the REST API again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from chassis.auth.actors import Actor
from chassis.auth.tokens import Claims
from chassis.database import Database
from chassis.errors import NotFound, Refusal, Unauthenticated
from chassis.http.answering import NO_ROUTE, answering
from chassis.http.api import Access, Api
from chassis.http.app import PREFIX
from chassis.http.problems import problem
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.tracing import current_trace_id
from chassis.wording import language_of
from crm_notify.notifications.queries import unread_count
from crm_notify.push.hub import Hub
from crm_notify.push.rules import Stream

PATH = "/api/v1/notifications/stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
ResultT = TypeVar("ResultT")
log = get_logger(__name__)


class _Frames(StreamingResponse):
    """The frames of a stream, let go of however the response ends."""

    def __init__(self, stream: Stream, hub: Hub) -> None:
        super().__init__(stream.frames(), headers=_HEADERS, media_type="text/event-stream")
        self._stream, self._hub = stream, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.forget(self._stream)


class _Endpoint:
    """Answers one request: who asks, may they open one more stream, what is unread now."""

    def __init__(self, runtime: Runtime, hub: Hub) -> None:
        self._runtime, self._hub = runtime, hub
        # As many threads at the database as this process has connections: after a restart all browsers come at once.
        self._turns = asyncio.Semaphore(2)

    async def stream_hints(self, request: Request) -> Response:
        """Hints only, each with the number of unread notifications: read the list again. Ends with the token."""
        with answering("GET", PATH.removeprefix(PREFIX), request.headers) as answer:
            try:
                return answer.with_id(await self._opened(request))
            except Exception as error:
                return answer.with_id(_problem(self._runtime, request, error))

    async def _opened(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("token_missing")
        claims, _ = await self._in_turn(lambda: self._authenticated(token.strip()))
        stream = self._hub.open(claims)
        try:
            # Counted after opening, so that nothing falls between.
            stream.hint(await self._in_turn(lambda: _unread(self._runtime.database, claims)))
        except BaseException:
            self._hub.forget(stream)
            raise
        return _Frames(stream, self._hub)

    def _authenticated(self, token: str) -> tuple[Claims, Actor]:
        return self._runtime.access_tokens.authenticate(token)

    async def _in_turn(self, work: Callable[[], ResultT]) -> ResultT:
        async with self._turns:
            return await asyncio.to_thread(work)


api = Api("notifications")
api.route(
    "GET",
    PATH.removeprefix(PREFIX),
    access=Access.MEMBER,
    summary="Be told at once, as server-sent events",
    produces="text/event-stream",
    role="push",
)(_Endpoint.stream_hints)


def _unread(database: Database, claims: Claims) -> int:
    with database.reading() as session:
        return unread_count(session, claims.member_id)


def create_push_app(runtime: Runtime, hub: Hub) -> Starlette:
    """The ASGI app of a push process; its hub runs as long as the app does."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        listening = asyncio.create_task(hub.run())
        yield
        listening.cancel()

    async def unrouted(request: Request, error: Exception) -> Response:
        with answering(request.method, NO_ROUTE, request.headers) as answer:
            return answer.with_id(_problem(runtime, request, error))

    route = Route(PATH, _Endpoint(runtime, hub).stream_hints, methods=["GET"])
    route.methods = {"GET"}  # Starlette adds HEAD, whose stream nobody would read
    return Starlette(routes=[route], lifespan=lifespan, exception_handlers={HTTPException: unrouted})


def _problem(runtime: Runtime, request: Request, error: Exception) -> Response:
    language = language_of(request.headers.get("Accept-Language", ""))
    reply = problem(_refusal(error), runtime.messages, language)
    return Response(reply.get_data(), reply.status_code, dict(reply.headers))


def _refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException):
        return NotFound("route_not_found")
    log.error("request_failed", exc_info=error)
    return Refusal("internal_error", trace_id=current_trace_id())
