"""The organisation: its settings, departments, roles, members and user groups."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.identity.v1 import identity_events_pb2 as pb
from crm_identity.database import Base

Changes = tuple[dict[str, Any], dict[str, Any]]
ORGANISATION_ID = 1
MOST_STATES = 1000
_MOST_BYTES = 400 * 1024
_TAG_BYTES = 8


class Record(Base):
    """What all records of the organisation share. `version` counts the changes; `kind` names it in the audit."""

    __abstract__ = True
    kind: ClassVar[str]
    version: Mapped[int] = mapped_column(BigInteger)

    @property
    def subject_id(self) -> UUID:
        """Its id in the audit."""
        return self.id  # type: ignore[no-any-return, attr-defined]

    def take_over(self, values: Mapping[str, Any]) -> Changes:
        """Set `values`; returns what changed as (before, after), both empty when nothing did."""
        before = {name: getattr(self, name) for name, value in values.items() if getattr(self, name) != value}
        for name in before:
            setattr(self, name, values[name])
        return before, {name: values[name] for name in before}

    def changed(self) -> Message:
        """The event that tells its whole state."""
        raise NotImplementedError


class Organisation(Record):
    """Settings of the one organisation. `zone`: IANA name of the zone in which its days are counted.

    `known_permissions`: those that the built-in roles have already been given, or not, by default. No setting: it
    raises no version. `calendar`: by year the days that differ from the week, each as pb.CalendarDay reads it, in order.
    """

    __tablename__ = "organisation"
    kind = "organisation"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    known_permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    calendar: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default="{}")

    @property
    def subject_id(self) -> UUID:
        return UUID(int=ORGANISATION_ID)

    def state(self) -> pb.Organisation:
        """As other services read it."""
        days = [pb.CalendarDay(**day) for year in sorted(self.calendar) for day in self.calendar[year]]
        return pb.Organisation(version=self.version, name=self.name, zone=self.zone, calendar=days)

    def changed(self) -> Message:
        return pb.OrganisationChanged(organisation=self.state())


class Department(Record):
    """A department (部门). The root, and only it, has no parent. `head_id` may be empty."""

    __tablename__ = "departments"
    __table_args__ = (
        UniqueConstraint("parent_id", "name"),
        CheckConstraint("parent_id <> id", name="parent"),
    )
    kind = "department"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"))
    # Departments have heads and members have departments: this constraint is added once both tables exist.
    head_id: Mapped[UUID | None] = mapped_column(ForeignKey("members.id", use_alter=True))

    def state(self) -> pb.Department:
        """As other services read it."""
        return pb.Department(
            id=str(self.id),
            version=self.version,
            name=self.name,
            parent_id=str(self.parent_id or ""),
            head_id=str(self.head_id or ""),
        )

    def changed(self) -> Message:
        return pb.DepartmentChanged(departments=[self.state()])

    def deleted(self, merged_into: UUID | None = None) -> Message:
        """The event that tells it is gone, and which department took its members and all that pointed to it."""
        state = self.state()
        state.merged_into = str(merged_into or "")
        return pb.DepartmentDeleted(departments=[state])


class Role(Record):
    """Permissions and how far they reach (H-12). `key` names a built-in role, which cannot be deleted; else empty."""

    __tablename__ = "roles"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("data_scope IN ('own', 'department', 'centre', 'company')", name="data_scope"),
    )
    kind = "role"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    data_scope: Mapped[str] = mapped_column(Text)

    def state(self) -> pb.Role:
        """As other services read it."""
        return pb.Role(
            id=str(self.id),
            version=self.version,
            key=self.key,
            name=self.name,
            permissions=self.permissions,
            data_scope=pb.DataScope.Value(f"DATA_SCOPE_{self.data_scope.upper()}"),
        )

    def changed(self) -> Message:
        return pb.RoleChanged(roles=[self.state()])

    def deleted(self) -> Message:
        """The event that tells it is gone."""
        return pb.RoleDeleted(roles=[self.state()])


class Member(Record):
    """A person who works with Highsea, or a program that does (`service_account`).

    `login` is kept in lower case. Access tokens issued in an epoch before `epoch`, and sessions begun in a
    generation other than `session_generation`, are over. Absent members keep everything but are given nothing new:
    `absent_from` and `absent_until` (UTC) are those of the absence that runs now or comes next, None when none is
    planned; `absent_from` may be None for one that has begun.
    `last_login_at` (UTC) is no part of the state that others are told, and raises no version.
    """

    __tablename__ = "members"
    __table_args__ = (
        UniqueConstraint("login"),
        CheckConstraint("login = lower(login)", name="login"),
        Index("ix_members_department_id", "department_id"),
        Index("ix_members_name", "name", "id"),
        Index("ix_members_absent_until", "absent_until", postgresql_where=text("absent_until IS NOT NULL")),
    )
    kind = "member"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    role_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    language: Mapped[str] = mapped_column(Text)
    absent_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    absent_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    service_account: Mapped[bool]
    active: Mapped[bool]
    epoch: Mapped[int] = mapped_column(Integer)
    session_generation: Mapped[int] = mapped_column(Integer)
    last_login_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def revoke_tokens(self) -> None:
        """No access token issued until now is accepted any more, in any service."""
        self.epoch += 1

    def end_sessions(self) -> None:
        """No session begun until now can be refreshed, no token issued until now is accepted."""
        self.session_generation += 1
        self.revoke_tokens()

    def leave(self) -> Changes:
        """Be deactivated: everything that acts in this member's name ends at once."""
        self.end_sessions()
        return self.take_over({"active": False})

    def come_back(self) -> Changes:
        """Be activated again."""
        return self.take_over({"active": True})

    def state(self) -> pb.Member:
        """As other services read it."""
        state = pb.Member(
            id=str(self.id),
            version=self.version,
            login=self.login,
            name=self.name,
            email=self.email,
            department_id=str(self.department_id),
            role_ids=[str(id_) for id_ in self.role_ids],
            active=self.active,
            epoch=self.epoch,
            language=self.language,
            service_account=self.service_account,
        )
        if self.absent_from is not None:
            state.absent_from.FromDatetime(self.absent_from)
        if self.absent_until is not None:
            state.absent_until.FromDatetime(self.absent_until)
        return state

    def changed(self) -> Message:
        return pb.MemberChanged(members=[self.state()])

    def left(self) -> Message:
        """The event that tells other services to let go of this member."""
        return pb.MemberDeactivated(members=[self.state()])


class Group(Record):
    """A user group (用户组, H-11): its members see and maintain each other's customers, whatever their departments."""

    __tablename__ = "groups"
    __table_args__ = (
        UniqueConstraint("name"),
        Index("ix_groups_member_ids", "member_ids", postgresql_using="gin"),
    )
    kind = "group"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    member_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))

    def state(self) -> pb.Group:
        """As other services read it."""
        return pb.Group(
            id=str(self.id), version=self.version, name=self.name, member_ids=[str(id_) for id_ in self.member_ids]
        )

    def changed(self) -> Message:
        return pb.GroupChanged(groups=[self.state()])

    def deleted(self) -> Message:
        """The event that tells it is gone."""
        return pb.GroupDeleted(groups=[self.state()])


def in_parts(records: Sequence[Member | Department]) -> Iterator[Message]:
    """The events that tell the whole states of members or departments, as many in each as one may carry (design §5)."""
    part: list[Any] = []
    free = _MOST_BYTES
    for record in records:
        state = record.state()
        size = state.ByteSize() + _TAG_BYTES
        if part and (len(part) == MOST_STATES or size > free):
            yield _told(part)
            part, free = [], _MOST_BYTES
        part.append(state)
        free -= size
    if part:
        yield _told(part)


def _told(states: Sequence[Any]) -> Message:
    if isinstance(states[0], pb.Member):
        return pb.MemberChanged(members=states)
    return pb.DepartmentChanged(departments=states)
