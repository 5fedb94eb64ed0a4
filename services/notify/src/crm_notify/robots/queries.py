"""Reading robots, and which of them repeats what whom is told."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_notify.robots.model import Robot
from directory.scope import belongings


def all_robots(session: Session) -> Sequence[Robot]:
    """Every robot, the oldest first."""
    return session.scalars(select(Robot).order_by(Robot.id)).all()


def robots_of(session: Session, member_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Per active member the active robot of the nearest department upwards that has one, else the one of everybody;
    members without any are left out. Two statements, however many members.
    """
    active = session.execute(select(Robot.department_id, Robot.id).where(Robot.active)).all()
    robots: dict[UUID | None, UUID] = {row.department_id: row.id for row in active}
    if not robots or not member_ids:
        return {}
    found = {
        member_id: next((robots[id_] for id_ in (*one.ancestor_ids, None) if id_ in robots), None)
        for member_id, one in belongings(session, member_ids).items()
    }
    return {member_id: robot_id for member_id, robot_id in found.items() if robot_id}
