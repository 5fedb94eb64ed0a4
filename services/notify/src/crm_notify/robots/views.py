"""Shapes of robots on the wire. Webhook and secret are written and never answered."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, View
from crm_notify.deliveries.rules import Status
from crm_notify.robots.model import Robot
from crm_notify.robots.rules import Vendor

Name = Annotated[str, Field(min_length=1, max_length=50)]
Webhook = Annotated[str, Field(min_length=1, max_length=500)]
Secret = Annotated[str, Field(min_length=1, max_length=200)]


class NewRobot(Body):
    """A robot of a group. It repeats what members of the department and below are told; without one, of everybody."""

    vendor: Vendor
    name: Name
    webhook: Webhook
    secret: Secret | None = None
    department_id: UUID | None = None
    active: bool = True


class RobotChange(Body):
    """What is left out stays; `secret` null takes it away."""

    name: Name = ""
    webhook: Webhook = ""
    secret: Secret | None = None
    department_id: UUID | None = None
    active: bool = True


class RobotView(View):
    """A robot; `has_secret`: its messages are signed."""

    id: UUID
    version: int
    vendor: Vendor
    name: str
    has_secret: bool
    department_id: UUID | None
    active: bool
    created_at: datetime

    @classmethod
    def of(cls, robot: Robot) -> "RobotView":
        """The view of `robot`."""
        values = {name: getattr(robot, name) for name in cls.model_fields if name != "has_secret"}
        return cls(**values, has_secret=robot.secret is not None)


class RobotsView(View):
    """Every robot, the oldest first."""

    items: list[RobotView]


class RobotTest(View):
    """What came of a test: `sent`, `failed`, or `uncertain`; `error` is `error_code` in words."""

    status: Status
    error_code: str | None
    error: str | None
