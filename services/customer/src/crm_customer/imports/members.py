"""Members that rows of imports name."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from crm_customer.customers.sight import Sight
from crm_customer.imports.rules import Members
from directory.permissions import Permission
from directory.scope import active_members, members_named


def load_members(session: Session, sight: Sight, names: Iterable[str], ids: Iterable[str] = ()) -> Members:
    """Those of these names, logins and ids, with two statements."""
    named = members_named(session, set(filter(None, names)))
    referred = {text: id_ for text in ids if (id_ := _uuid(text))}
    departments = active_members(session, {id_ for found in named.values() for id_ in found} | set(referred.values()))
    by_id = {text: [id_] for text, id_ in referred.items() if id_ in departments}
    reached = {id_ for id_, department_id in departments.items() if sight.scope.reaches(id_, department_id)}
    return Members(by_id | named, sight.scope.member_id, reached, sight.scope.may(Permission.POOL_ASSIGN))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
