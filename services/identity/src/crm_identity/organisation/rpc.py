"""gRPC of the whole organisation, for the directories of the other services."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis.errors import FieldError, invalid
from chassis.runtime import Runtime
from crm.identity.v1 import identity_service_pb2 as pb
from crm_identity.keys import queries as keys
from crm_identity.organisation.model import ORGANISATION_ID, Department, Group, Member, Organisation, Role

PAGE_SIZE = 1000


class Export:
    """ExportDirectory of IdentityService."""

    runtime: Runtime

    def ExportDirectory(self, request: pb.ExportDirectoryRequest, context: Any) -> pb.ExportDirectoryResponse:
        """Members in pages by id, those who left included; all else with the first page.

        A member created meanwhile has a higher id than every page read, so none is missed.
        """
        after = _page_start(request.page_token)
        with self.runtime.database.reading() as session:
            query = select(Member).order_by(Member.id).limit(PAGE_SIZE + 1)
            rows = session.scalars(query.where(Member.id > after) if after else query).all()
            page = _without_members(session) if after is None else pb.ExportDirectoryResponse()
            page.members.extend(member.state() for member in rows[:PAGE_SIZE])
        if len(rows) > PAGE_SIZE:
            page.next_page_token = str(rows[PAGE_SIZE - 1].id)
        return page


def _page_start(token: str) -> UUID | None:
    try:
        return UUID(token) if token else None
    except ValueError as error:
        problem = FieldError("/page_token", "uuid_parsing")
        raise invalid(problem) from error


def _without_members(session: Session) -> pb.ExportDirectoryResponse:
    organisation = session.get(Organisation, ORGANISATION_ID)
    return pb.ExportDirectoryResponse(
        departments=[row.state() for row in session.scalars(select(Department))],
        roles=[row.state() for row in session.scalars(select(Role))],
        groups=[row.state() for row in session.scalars(select(Group))],
        organisation=organisation.state() if organisation else None,
        signing_keys=keys.key_set_state(session),
    )
