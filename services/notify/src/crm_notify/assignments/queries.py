"""Who hears of a leaver."""

from uuid import UUID

from sqlalchemy.orm import Session

from crm.pool.v1 import pool_events_pb2 as pb
from crm_notify.assignments.rules import notice_of_leaver
from crm_notify.notifications.queries import administrators, managers
from crm_notify.notifications.rules import Notice


def notices_of_leaver(session: Session, event_id: UUID, fact: pb.OwnerLeft) -> list[Notice]:
    """For the leaver's manager, whether or not the directory knows here that they left; else for administrators."""
    member_id = UUID(fact.member_id)
    manager = managers(session, [member_id])[member_id]
    told = [manager] if manager else administrators(session)
    return [notice_of_leaver(event_id, fact, id_) for id_ in told if id_ != member_id]
