"""Reading what a chunk needs: the importer's rights, what rows name, and the members they mean."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import Forbidden, Unauthenticated
from crm.identity.v1 import identity_service_pb2 as pb
from crm_identity.actors import OwnActors
from crm_identity.departments.queries import path
from crm_identity.imports.model import BulkWriteResult
from crm_identity.imports.rules import Reference, Row, tree_reference
from crm_identity.organisation.model import Department, Member, Role
from directory.permissions import Permission


def kept_answer(session: Session, chunk_id: UUID) -> pb.BulkWriteMembersResponse | None:
    """What was answered when the chunk was written, or None."""
    response = session.scalar(select(BulkWriteResult.response).where(BulkWriteResult.chunk_id == chunk_id))
    return None if response is None else pb.BulkWriteMembersResponse.FromString(response)


def check_importer(session: Session, actor_id: UUID) -> None:
    """Rights are checked for every chunk again. Raises Unauthenticated for one who has left, Forbidden."""
    actor = OwnActors().actor(session, actor_id)
    if actor is None or not actor.active:
        raise Unauthenticated("token_revoked")
    for permission in (Permission.IMPORT_RUN, Permission.ORGANISATION_MANAGE):
        if not actor.may(permission):
            raise Forbidden("forbidden", permission=permission)


def load_reference(session: Session) -> Reference:
    """All departments and roles by what rows may call them."""
    rows = session.execute(select(Department.id, Department.name, Department.parent_id))
    tree = {row.id: (row.name, row.parent_id) for row in rows}
    roles = {row.name: row.id for row in session.execute(select(Role.id, Role.name))}
    return tree_reference([(id_, path(tree, id_)) for id_ in tree], roles)


def members_meant(session: Session, rows: Iterable[Row], *, locked: bool = True) -> dict[str, Member]:
    """The members with the rows' logins, locked in id order if they are to be."""
    logins = {row.login for row in rows if row.login and "\0" not in row.login}
    wanted = select(Member).where(Member.login.in_(logins)).order_by(Member.id)
    return {member.login: member for member in session.scalars(wanted.with_for_update() if locked else wanted)}


def administrators(session: Session) -> tuple[set[UUID], set[UUID]]:
    """Ids of the roles that may manage the organisation, and of the active people who have one."""
    manage = Role.permissions.contains([Permission.ORGANISATION_MANAGE.value])
    roles = set(session.scalars(select(Role.id).where(manage)))
    holding = select(Member.id).where(Member.active, ~Member.service_account, Member.role_ids.overlap(list(roles)))
    return roles, set(session.scalars(holding))
