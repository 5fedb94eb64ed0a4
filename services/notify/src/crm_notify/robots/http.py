"""REST of robots."""

from typing import Any, cast
from uuid import UUID

from chassis.errors import NotFound
from chassis.http.api import Api
from chassis.http.call import Call
from crm_notify.deliveries.rules import Failure, Outcome, Status
from crm_notify.robots import commands
from crm_notify.robots.clients import post
from crm_notify.robots.model import Robot
from crm_notify.robots.queries import all_robots
from crm_notify.robots.rules import Vendor
from crm_notify.robots.views import NewRobot, RobotChange, RobotsView, RobotTest, RobotView
from crm_notify.settings import Settings
from directory.permissions import Permission

api = Api("robots")
_TEST = {"zh": "Highsea：这是一条测试消息", "en": "Highsea: this is a test message"}


@api.route("GET", "/robots", access=Permission.NOTIFY_CONFIGURE, summary="List robots", reply=RobotsView)
def list_robots(call: Call[None, None]) -> RobotsView:
    with call.runtime.database.reading() as session:
        return RobotsView(items=[RobotView.of(one) for one in all_robots(session)])


@api.route(
    "POST",
    "/robots",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Add a group's robot",
    body=NewRobot,
    reply=RobotView,
    status=201,
    idempotent=True,
    versioned=True,
)
def create_robot(call: Call[NewRobot, None]) -> RobotView:
    settings, values = _settings(call), call.body.model_dump()
    return call.command(lambda session: RobotView.of(commands.create_robot(session, settings, call.actor.id, values)))


@api.route(
    "PATCH",
    "/robots/<uuid:robot_id>",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Change a robot",
    body=RobotChange,
    reply=RobotView,
    versioned=True,
)
def change_robot(call: Call[RobotChange, None], robot_id: UUID) -> RobotView:
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        robot = commands.change_robot(session, _settings(call), call.actor.id, robot_id, expected, values)
        return RobotView.of(robot)


@api.route(
    "DELETE",
    "/robots/<uuid:robot_id>",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Delete a robot",
    status=204,
    versioned=True,
)
def delete_robot(call: Call[None, None], robot_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.delete_robot(session, call.actor.id, robot_id, expected)


@api.route(
    "POST",
    "/robots/<uuid:robot_id>:test",
    access=Permission.NOTIFY_CONFIGURE,
    summary="Let a robot say that it works",
    reply=RobotTest,
)
def try_robot(call: Call[None, None], robot_id: UUID) -> RobotTest:
    """Says a sentence in its group, whether it is active or not; answers what came of it."""
    settings = _settings(call)
    with call.runtime.database.reading() as session:
        robot = session.get(Robot, robot_id)
        if robot is None:
            raise NotFound("not_found")
        vendor, (webhook, secret) = Vendor(robot.vendor), commands.opened(robot, settings)
    failure = post(vendor, webhook, secret, _TEST[call.language], settings.allowed_robot_hosts)
    return RobotTest(status=_status(failure), error_code=failure.code if failure else None, error=_error(call, failure))


def _status(failure: Failure | None) -> Status:
    if failure is None:
        return Status.SENT
    return Status.UNCERTAIN if failure.outcome is Outcome.UNCERTAIN else Status.FAILED


def _error(call: Call[Any, Any], failure: Failure | None) -> str | None:
    if failure is None:
        return None
    # A vendor's code of its own words, else those of all its codes.
    return call.runtime.messages.text((failure.code, "robot_xx"), call.language, {"code": failure.code})


def _settings(call: Call[Any, Any]) -> Settings:
    return cast(Settings, call.runtime.settings)
