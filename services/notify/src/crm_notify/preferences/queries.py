"""What holds for whom."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, exists, literal, select
from sqlalchemy.orm import Session

from crm_notify.deliveries.rules import Channel
from crm_notify.preferences.model import PreferenceDefaults, Preferences
from crm_notify.preferences.rules import Choices, Defaults, Hours
from crm_notify.robots.model import Robot
from directory.tables import members


@dataclass(frozen=True)
class Receiver:
    """What tells one member from others who chose nothing and have an e-mail address."""

    own: Choices
    has_address: bool


ORDINARY = Receiver(Choices(), has_address=True)


def defaults_of(session: Session) -> Defaults:
    """What holds for whoever chose nothing else."""
    return as_defaults(session.get(PreferenceDefaults, 1))


def as_defaults(row: PreferenceDefaults | None) -> Defaults:
    """The administrator's defaults, Highsea's when there are none."""
    if row is None:
        return Defaults()
    return Defaults(row.matrix, row.locked, _hours(row), row.digest_at)


def choices_of(row: Preferences | None) -> Choices:
    """What a member chose."""
    return Choices() if row is None else Choices(row.matrix, _hours(row), row.digest_at)


def unavailable(session: Session, *, mail: bool) -> dict[Channel, str]:
    """The channels that tell nobody here, each with the code that says why; `mail`: whether there is a mail server."""
    robots = session.scalar(select(exists().where(Robot.active)))
    return ({} if mail else {Channel.EMAIL: "mail_off"}) | ({} if robots else {Channel.ROBOT: "robot_off"})


def receivers(session: Session, member_ids: Collection[UUID]) -> dict[UUID, Receiver]:
    """Of `member_ids`, in one statement, all who are not `ORDINARY`. An unknown member is: what the directory knows when
    a mail is sent decides.
    """
    wanted = literal(list(member_ids), ARRAY(Uuid))
    lacking = select(members.c.id).where(members.c.id == any_(wanted), members.c.email == "").subquery()
    chosen = select(Preferences).where(Preferences.member_id == any_(wanted)).subquery()
    both = select(lacking.c.id, chosen).select_from(lacking.join(chosen, lacking.c.id == chosen.c.member_id, full=True))
    return {row.id or row.member_id: _receiver(row) for row in session.execute(both)}


def _receiver(row: Any) -> Receiver:
    own = Choices() if row.member_id is None else Choices(row.matrix, _hours(row), row.digest_at)
    return Receiver(own, has_address=row.id is None)


def _hours(row: Any) -> Hours | None:
    return None if row.quiet_from is None or row.quiet_until is None else (row.quiet_from, row.quiet_until)
