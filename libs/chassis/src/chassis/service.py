"""What a service plugs into the chassis: read one `Service` to know everything a service does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import grpc
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

from chassis.auth.actors import ActorSource
from chassis.database.epochs import Version
from chassis.database.migration import script_directory
from chassis.due import HOUSEKEEPING, MEASURE_OUTBOX, DueTask
from chassis.events.consumer import Subscription
from chassis.events.streams import Queue, Stream
from chassis.http.api import Api
from chassis.runtime import Runtime
from chassis.settings import ServiceSettings

Role = Callable[[Runtime], None]
Command = Callable[[Runtime, Sequence[str]], int]


@dataclass(frozen=True)
class Projection:
    """Foreign facts kept here. `rebuild` fills the tables from their owner and returns the rows read; `check`
    returns how many rows differ from the owner's without changing any. It is filled once, as soon as the durables on
    `stream`, the owner's, exist: then no event falls between.
    """

    name: str
    rebuild: Callable[[Runtime], int]
    check: Callable[[Runtime], int]
    stream: str


@dataclass(frozen=True)
class Service:
    """The composition root of a service.

    `versions` are the columns that count the changes of its own records, as others are told them. `register_rpc` adds
    its servicers to a server; `streams` are those it writes; `roles` extra processes (import's
    `process`, notify's `push`, customer's `bulk`); `commands` extra one-shot commands, each `(runtime, arguments) -> exit status`;
    `queues` are the durables of the work queues among its streams; `after_migrate` are commands that `migrate` runs
    once the schema is there, safe to repeat.
    """

    name: str
    settings: type[ServiceSettings]
    actors: ActorSource
    apis: Sequence[Api]
    migrations: Sequence[str]
    metadatas: Sequence[MetaData]
    messages: Sequence[str]
    versions: Sequence[Version] = ()
    streams: Sequence[Stream] = ()
    queues: Sequence[Queue] = ()
    subscriptions: Sequence[Subscription] = ()
    projections: Sequence[Projection] = ()
    due: Sequence[DueTask] = ()
    register_rpc: Sequence[Callable[[grpc.Server, Runtime], None]] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    commands: Mapping[str, Command] = field(default_factory=dict)
    after_migrate: Sequence[Command] = ()

    def all_due(self) -> Sequence[DueTask]:
        """The service's due tasks and the chassis's own."""
        return (*self.due, HOUSEKEEPING, MEASURE_OUTBOX)

    def rpc(self, runtime: Runtime) -> Sequence[Callable[[grpc.Server], None]]:
        """What adds its servicers to a server of a process with this runtime."""
        return [lambda server, add=add: add(server, runtime) for add in self.register_rpc]  # type: ignore[misc]

    def scripts(self) -> ScriptDirectory:
        """Its Alembic revisions, the libraries' included."""
        return script_directory(self.migrations)
