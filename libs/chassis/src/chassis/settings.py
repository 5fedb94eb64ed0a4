"""Settings of a service: environment variables, read once, frozen, refused with a clear message."""

import os
import sys
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.auth.keys import private_key, public_keys


class ServiceSettings(BaseSettings):
    """What every service reads. A service adds its own fields in a subclass.

    Each variable may also be given as ``<NAME>_FILE``, a path whose content is the value.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(description="postgresql:// URL of this service's own database")
    nats_url: str = Field(description="nats:// URL with this service's own user")
    valkey_url: str = Field(default="", description="redis:// URL; empty: limits are kept in the process")
    object_store_url: str = Field(default="", description="file:// or s3:// URL for files")
    http_bind: str = Field(default="127.0.0.1:8000", description="host:port of the REST API (serve)")
    grpc_bind: str = Field(default="127.0.0.1:9000", description="host:port of the gRPC server (serve, bulk)")
    metrics_bind: str = Field(default="127.0.0.1:9100", description="host:port of /livez, /readyz and /metrics")
    service_key: str = Field(description="private EC P-256 key (JWK or PEM) that signs this service's own tokens")
    service_keys: str = Field(
        description="public keys of all services: a JWKS, or PEM certificates; kid or common name = service name"
    )
    identity_grpc: str = Field(default="", description="host:port of identity's gRPC server")
    customer_grpc: str = Field(default="", description="host:port of customer's gRPC server")
    customer_bulk_grpc: str = Field(
        default="",
        description="host:port of customer's gRPC server for writing and reading in bulk; empty: CUSTOMER_GRPC",
    )
    pool_grpc: str = Field(default="", description="host:port of pool's gRPC server")
    public_url: str = Field(default="http://127.0.0.1:8080", description="where browsers reach the gateway")
    highsea_demo: bool = Field(default=False, description="1 allows demo data; refused on any address but loopback")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    drain_seconds: int = Field(
        default=0, ge=0, le=60, description="how long a stopping process goes on answering, unready already"
    )
    http_threads: int = Field(default=16, ge=1, description="requests answered at once by a serve process")
    database_connections: int = Field(default=20, ge=1, description="most connections of a serve process")

    @field_validator("service_key")
    @classmethod
    def _is_a_private_key(cls, value: str) -> str:
        private_key(value)
        return value

    @field_validator("service_keys")
    @classmethod
    def _are_public_keys(cls, value: str) -> str:
        public_keys(value)
        return value

    otel_exporter_otlp_endpoint: str = Field(
        default="", description="http(s):// URL of an OpenTelemetry collector (OTLP over HTTP); empty: no traces"
    )
    otel_traces_sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = Field(default="parentbased_always_on", description="which traces are recorded")
    otel_traces_sampler_arg: float = Field(default=1.0, ge=0, le=1, description="the share of a …traceidratio sampler")

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Exits with status 2 and one line per mistake when it is wrong."""
        values: dict[str, Any] = {}
        for name in cls.model_fields:
            path = os.environ.get(f"{name.upper()}_FILE")
            if path:
                values[name] = Path(path).read_text(encoding="utf-8").strip()
        try:
            return cls(**values)
        except ValidationError as error:
            for problem in error.errors():
                name = ".".join(str(part) for part in problem["loc"]).upper()
                print(f"setting {name}: {problem['msg']}", file=sys.stderr)
            sys.exit(2)
