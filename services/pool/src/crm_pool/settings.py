"""Settings of the pool service: none of its own."""

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service reads; `CUSTOMER_GRPC` is needed to show places at once."""
