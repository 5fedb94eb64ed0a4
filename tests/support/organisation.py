"""A small organisation for tests: the company, two departments, and a member of every role."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.identifiers import new_id
from crm.identity.v1 import identity_events_pb2 as pb
from directory import store
from directory.permissions import BUILT_IN_ROLES


@dataclass(frozen=True)
class Member:
    """A member of the test organisation."""

    id: UUID
    name: str
    role: str
    department_id: UUID
    epoch: int = 0
    email: str = ""
    active: bool = True
    language: str = "zh-CN"


@dataclass
class Organisation:
    """公司 with 华东销售部 and 华南销售部 below it."""

    company: UUID = field(default_factory=new_id)
    east: UUID = field(default_factory=new_id)
    south: UUID = field(default_factory=new_id)
    role_ids: dict[str, UUID] = field(default_factory=lambda: {role.key: new_id() for role in BUILT_IN_ROLES})
    members: dict[str, Member] = field(default_factory=dict)

    @classmethod
    def standard(cls) -> "Organisation":
        """admin; operations (公司); supervisor, sales, colleague in the east; rival and rival_supervisor in the south."""
        made = cls()
        for key, name, role, department in (
            ("admin", "管理员", "administrator", made.company),
            ("operations", "运营小陈", "operations", made.company),
            ("supervisor", "东区主管", "supervisor", made.east),
            ("sales", "张三", "sales", made.east),
            ("colleague", "李四", "sales", made.east),
            ("rival_supervisor", "南区主管", "supervisor", made.south),
            ("rival", "王五", "sales", made.south),
        ):
            made.members[key] = Member(new_id(), name, role, department, email=f"{key}@example.test")
        return made

    def __getattr__(self, key: str) -> Member:
        """`organisation.sales` and so on."""
        try:
            return self.__dict__["members"][key]  # type: ignore[no-any-return]
        except KeyError as error:
            raise AttributeError(key) from error

    def store(self, session: Session, jwks: str) -> None:
        """Write it into the directory tables of a service."""
        heads = {self.east: self.supervisor.id, self.south: self.rival_supervisor.id, self.company: self.admin.id}
        names = {self.company: "公司", self.east: "华东销售部", self.south: "华南销售部"}
        store.store_departments(
            session,
            [
                pb.Department(
                    id=str(id_),
                    version=1,
                    name=names[id_],
                    parent_id="" if id_ == self.company else str(self.company),
                    head_id=str(head),
                )
                for id_, head in heads.items()
            ],
        )
        store.store_roles(session, [self.role_state(role.key) for role in BUILT_IN_ROLES])
        store.store_members(session, [self.member_state(member) for member in self.members.values()])
        store.store_organisation(session, pb.Organisation(version=1, name="测试公司", zone="Asia/Shanghai"))
        store.store_signing_keys(session, pb.SigningKeys(version=1, jwks=jwks))

    def role_state(self, key: str) -> pb.Role:
        """A built-in role as identity publishes it."""
        role = next(role for role in BUILT_IN_ROLES if role.key == key)
        return pb.Role(
            id=str(self.role_ids[key]),
            version=1,
            key=key,
            name=role.words.zh,
            permissions=sorted(role.permissions),
            data_scope=pb.DataScope.ValueType(role.data_scope),
        )

    def member_state(self, member: Member, version: int = 1) -> pb.Member:
        """A member as identity publishes it."""
        return pb.Member(
            id=str(member.id),
            version=version,
            login=member.email.split("@")[0],
            name=member.name,
            email=member.email,
            department_id=str(member.department_id),
            role_ids=[str(self.role_ids[member.role])],
            active=member.active,
            epoch=member.epoch,
            language=member.language,
        )
