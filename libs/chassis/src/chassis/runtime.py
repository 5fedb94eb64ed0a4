"""What one running process of a service has at hand; made once by the role, passed to every edge."""

import threading
from dataclasses import dataclass, field

from chassis.auth.actors import ActorSource
from chassis.auth.tokens import AccessTokens, ServiceTokens
from chassis.database import Database
from chassis.limits import Limiter
from chassis.objects import ObjectStore
from chassis.rpc.client import Peers
from chassis.settings import ServiceSettings
from chassis.wording import Messages


@dataclass(frozen=True)
class Runtime:
    """Connections and tools of a process. Nothing here is global, so tests may have several."""

    service: str
    settings: ServiceSettings
    database: Database
    actors: ActorSource
    access_tokens: AccessTokens
    service_tokens: ServiceTokens
    peers: Peers
    limiter: Limiter
    messages: Messages
    objects: ObjectStore | None
    draining: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """Close every connection."""
        self.peers.close()
        self.database.close()

    def object_store(self) -> ObjectStore:
        """The object store. Raises RuntimeError when OBJECT_STORE_URL is not set."""
        if self.objects is None:
            raise RuntimeError("setting OBJECT_STORE_URL is missing")
        return self.objects


def open_runtime(
    service: str,
    settings: ServiceSettings,
    actors: ActorSource,
    message_packages: tuple[str, ...],
    connections: int | None = None,
) -> Runtime:
    """Open what `settings` name. Nothing is contacted before it is used."""
    database = Database(settings.database_url, connections or settings.database_connections)
    tokens = ServiceTokens(service, settings.service_key, settings.service_keys)
    targets = {
        "identity": settings.identity_grpc,
        "customer": settings.customer_grpc,
        "customer_bulk": settings.customer_bulk_grpc or settings.customer_grpc,
        "pool": settings.pool_grpc,
    }
    return Runtime(
        service=service,
        settings=settings,
        database=database,
        actors=actors,
        access_tokens=AccessTokens(database, actors),
        service_tokens=tokens,
        peers=Peers(tokens, targets),
        limiter=Limiter(settings.valkey_url),
        messages=Messages(message_packages),
        objects=ObjectStore(settings.object_store_url) if settings.object_store_url else None,
    )
