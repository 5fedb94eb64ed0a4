"""Settings of the identity service."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from pydantic import Field, field_validator

from chassis import sealing
from chassis.runtime import Runtime
from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service reads, the key that seals signing keys, and whom to believe about client addresses."""

    key_encryption_key: str = Field(description="base64 of 32 random bytes; seals the private signing keys at rest")
    gateway_networks: str = Field(
        default="127.0.0.0/8,::1/128",
        description="networks of the gateway, comma-separated: from these the last X-Forwarded-For entry is believed",
    )
    administrator_login: str = Field(
        default="", description="`migrate` makes this administrator while there is none; empty: nobody"
    )
    administrator_name: str = Field(default="", description="name of that administrator")
    administrator_email: str = Field(default="", description="e-mail address of that administrator")
    administrator_password: str = Field(default="", description="first password, to be changed at the first login")

    @field_validator("key_encryption_key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        sealing.sealing_key(value)
        return value

    @field_validator("gateway_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for part in value.split(","):
            ip_network(part.strip())
        return value

    @property
    def sealing_key(self) -> bytes:
        """The 32 bytes that seal private signing keys."""
        return sealing.sealing_key(self.key_encryption_key)

    @property
    def trusted_networks(self) -> list[IPv4Network | IPv6Network]:
        """The gateway's networks."""
        return [ip_network(part.strip()) for part in self.gateway_networks.split(",")]


def settings_of(runtime: Runtime) -> Settings:
    """The settings of this service's process."""
    assert isinstance(runtime.settings, Settings)
    return runtime.settings
