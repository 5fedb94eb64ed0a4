"""Saying in groups what the ledger holds for robots: a task of every worker, by few messages of many lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.due import DueTask
from chassis.errors import TooManyRequests, Unavailable
from chassis.logs import get_logger
from chassis.runtime import Runtime
from chassis.wording import language_of
from crm_notify.deliveries.leasing import Taken, begin, give_back, settle, take
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.rules import Channel, Failure, Outcome
from crm_notify.notifications.model import Notification
from crm_notify.notifications.queries import names_of
from crm_notify.notifications.texts import named_members, words
from crm_notify.robots.clients import post
from crm_notify.robots.commands import opened
from crm_notify.robots.model import Robot
from crm_notify.robots.queries import robots_of
from crm_notify.robots.rules import Vendor, fitting, line
from crm_notify.settings import Settings
from directory.tables import members

BATCH = 200
# What the vendors take of one robot.
BUDGET = "20/minute"
_MISSING = Failure("robot_missing", Outcome.SUPPRESSED)
_THROTTLED = Failure("robot_throttled", Outcome.THROTTLED)
_UNREADABLE = Failure("robot_unreadable")
_outcomes = Counter("crm_robot_messages_total", "Messages of robots tried (work; sum)", ["outcome"])
_outcomes.labels("sent")
log = get_logger(__name__)


@dataclass(frozen=True)
class _Told:
    """A delivery, the line that it is in a message, and the robot that says it."""

    taken: Taken
    line: str
    robot_id: UUID


def send_to_robots(runtime: Runtime) -> bool:
    """Say what is due, per robot. Returns True when more may be waiting."""
    with runtime.database.transaction() as session:
        taken = [one for message in take(session, Channel.ROBOT, BATCH, mailings=False) for one in message]
    if not taken:
        return False
    with runtime.database.reading() as session:
        told, robots = _told(session, taken)
    _settle(runtime, [one for one in taken if one.id not in told], _MISSING)
    for robot in robots:
        _say_all(runtime, robot, [one for one in told.values() if one.robot_id == robot.id])
    return len(taken) == BATCH


def _told(session: Session, taken: Sequence[Taken]) -> tuple[dict[UUID, _Told], Sequence[Robot]]:
    """What is said of each delivery, by its id, in the member's language; without those that no robot says."""
    ids = {one.id: one for one in taken}
    rows = session.execute(
        select(Delivery.id, Notification.kind, Notification.parameters)
        .add_columns(members.c.id.label("member_id"), members.c.name, members.c.language)
        .join(Notification, Notification.id == Delivery.notification_id)
        .join(members, members.c.id == Delivery.member_id)
        .where(Delivery.id.in_(ids), members.c.active)
        .order_by(Delivery.id)
    ).all()
    names = names_of(session, set[UUID]().union(*(named_members(row.parameters) for row in rows)))
    saying = robots_of(session, {row.member_id for row in rows})
    told = {}
    for row in rows:
        if robot_id := saying.get(row.member_id):
            title = words(row.kind, row.parameters, names, language_of(row.language)).title
            told[row.id] = _Told(ids[row.id], line(row.name, title), robot_id)
    robots = session.scalars(select(Robot).where(Robot.id.in_({one.robot_id for one in told.values()}))).all()
    return told, robots


def _say_all(runtime: Runtime, robot: Robot, told: Sequence[_Told]) -> None:
    """One message after the other; what one cannot be said for is true of the rest too, but for single refusals."""
    settings = cast(Settings, runtime.settings)
    try:
        webhook, secret = opened(robot, settings)
    except Unavailable:
        _settle(runtime, [one.taken for one in told], _UNREADABLE)
        return
    while told:
        if runtime.draining.is_set():
            with runtime.database.transaction() as session:
                give_back(session, [one.taken for one in told])
            return
        try:
            runtime.limiter.spend(BUDGET, "robot", str(robot.id))
        except TooManyRequests:
            _settle(runtime, [one.taken for one in told], _THROTTLED)
            return
        part = told[: fitting([one.line for one in told])]
        told = told[len(part) :]
        with runtime.database.transaction() as session:
            begun = begin(session, [one.taken for one in part])
        if not begun:
            continue
        text = "\n".join(one.line for one in part)
        failure = post(Vendor(robot.vendor), webhook, secret, text, settings.allowed_robot_hosts)
        _settle(runtime, begun, failure)
        if failure and failure.outcome in (Outcome.RETRY, Outcome.THROTTLED):
            _settle(runtime, [one.taken for one in told], failure)
            return


def _settle(runtime: Runtime, taken: Sequence[Taken], failure: Failure | None) -> None:
    if not taken:
        return
    with runtime.database.transaction() as session:
        settle(session, taken, failure)
    _outcomes.labels(failure.code if failure else "sent").inc()
    if failure is not None:
        log.warning("robot_did_not_say", deliveries=[str(one.id) for one in taken], code=failure.code)


SEND_TO_ROBOTS = DueTask("send-to-robots", 3, send_to_robots)
