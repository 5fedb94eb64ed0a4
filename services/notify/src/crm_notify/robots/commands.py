"""Setting up robots. Their changes wait for each other, so that each department has one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from chassis.audit import AuditEntry, record_audit
from chassis.database import lock
from chassis.errors import Conflict, FieldError, NotFound, Stale, Unavailable, invalid
from chassis.identifiers import new_id
from chassis.sealing import Unreadable, seal, unseal
from crm_notify.robots.model import Robot
from crm_notify.robots.rules import MOST_ROBOTS, Vendor, webhook_refused
from crm_notify.settings import Settings
from directory.tables import departments

_SECRETS = ("webhook", "secret")
_FIELDS = ("name", "department_id", "active")


def create_robot(session: Session, settings: Settings, actor_id: UUID, values: Mapping[str, Any]) -> Robot:
    """A new robot. Raises Invalid, Conflict sealing_key_missing, too_many_robots, robot_department_taken,
    robot_secret_unused.
    """
    lock(session, "robots")
    if (session.scalar(select(func.count()).select_from(Robot)) or 0) >= MOST_ROBOTS:
        raise Conflict("too_many_robots", most=MOST_ROBOTS)
    robot = Robot(id=new_id(), version=1, vendor=values["vendor"])
    _set(session, settings, robot, values)
    session.add(robot)
    session.flush()
    session.refresh(robot)
    _audit(session, "created", actor_id, robot, None, {"vendor": robot.vendor, **_values(robot)})
    return robot


def change_robot(
    session: Session, settings: Settings, actor_id: UUID, robot_id: UUID, expected: int, values: Mapping[str, Any]
) -> Robot:
    """Change a robot. Raises NotFound, Stale, and as create_robot."""
    robot = _locked(session, robot_id, expected, values)
    before, sealed = _values(robot), {name: values[name] for name in _SECRETS if name in values}
    _set(session, settings, robot, values)
    changed = {name: value for name, value in _values(robot).items() if value != before[name]}
    if changed or sealed:
        robot.version += 1
        session.flush()
        # That they changed, never what they are.
        after = {**changed, **{name: "•••" if value else None for name, value in sealed.items()}}
        _audit(session, "changed", actor_id, robot, {name: before[name] for name in changed}, after)
    return robot


def delete_robot(session: Session, actor_id: UUID, robot_id: UUID, expected: int) -> None:
    """Delete a robot; what was on its way to it finds another or none. Raises NotFound, Stale."""
    robot = _locked(session, robot_id, expected, {})
    _audit(session, "deleted", actor_id, robot, {"vendor": robot.vendor, **_values(robot)}, None)
    session.delete(robot)


def opened(robot: Robot, settings: Settings) -> tuple[str, str]:
    """Webhook and secret (empty without). Raises Unavailable robot_unreadable when they were sealed with another key."""
    key = settings.sealing_key
    if key is None:
        raise Unavailable("robot_unreadable", retry_after_seconds=60)
    try:
        webhook, secret = (unseal(one.decode(), key).decode() if one else "" for one in (robot.webhook, robot.secret))
    except Unreadable as error:
        raise Unavailable("robot_unreadable", retry_after_seconds=60) from error
    return webhook, secret


def _set(session: Session, settings: Settings, robot: Robot, values: Mapping[str, Any]) -> None:
    key = settings.sealing_key
    if key is None:
        raise Conflict("sealing_key_missing")
    _require_valid(session, settings, robot, values)
    for name in _FIELDS:
        if name in values:
            setattr(robot, name, values[name])
    for name in _SECRETS:
        if name in values:
            setattr(robot, name, seal(values[name].encode(), key).encode() if values[name] else None)
    _require_alone(session, robot)


def _require_valid(session: Session, settings: Settings, robot: Robot, values: Mapping[str, Any]) -> None:
    errors = []
    vendor = Vendor(robot.vendor)
    if "webhook" in values and (code := webhook_refused(vendor, values["webhook"], settings.allowed_robot_hosts)):
        errors.append(FieldError("/webhook", code))
    if values.get("secret") and vendor is Vendor.WECOM:
        errors.append(FieldError("/secret", "robot_secret_unused"))
    department_id = values.get("department_id")
    known = exists().where(departments.c.id == department_id, ~departments.c.deleted)
    if department_id is not None and not session.scalar(select(known)):
        errors.append(FieldError("/department_id", "unknown_department"))
    if errors:
        raise invalid(*errors)


def _require_alone(session: Session, robot: Robot) -> None:
    if not robot.active:
        return
    same = Robot.department_id.is_not_distinct_from(robot.department_id)
    with session.no_autoflush:
        other = session.scalar(select(Robot.name).where(same, Robot.active, Robot.id != robot.id))
    if other is not None:
        raise Conflict("robot_department_taken", name=other)


def _locked(session: Session, robot_id: UUID, expected: int, wanted: Mapping[str, Any]) -> Robot:
    lock(session, "robots")
    robot = session.get(Robot, robot_id, with_for_update=True)
    if robot is None:
        raise NotFound("not_found")
    if robot.version != expected:
        held = _values(robot)
        conflicts = [
            {"field": name, "current": held[name], "yours": value}
            for name, value in wanted.items()
            if name in held and held[name] != value
        ]
        raise Stale("stale_version", extra={"version": robot.version, "conflicts": to_jsonable_python(conflicts)})
    return robot


def _values(robot: Robot) -> dict[str, Any]:
    return {name: getattr(robot, name) for name in _FIELDS}


def _audit(session: Session, act: str, actor_id: UUID, robot: Robot, before: Any, after: Any) -> None:
    record_audit(session, AuditEntry(f"robot.{act}", "robot", robot.id, actor_id, before, after))
