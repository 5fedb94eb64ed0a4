"""Who is told of a merge (合并客户, decision 0033)."""

from collections.abc import Iterator
from uuid import UUID

from crm.customer.v1 import customer_events_pb2 as pb
from crm_notify.notifications.rules import Kind, Notice


def notices_of_merge(event_id: UUID, fact: pb.CustomersMerged) -> Iterator[Notice]:
    """One for each owner of losers, unless it is their own act; it opens the survivor, if they see it."""
    yield from _notices(event_id, fact, Kind.CUSTOMERS_MERGED, fact.survivor.id)


def notices_of_unmerge(event_id: UUID, fact: pb.CustomersUnmerged) -> Iterator[Notice]:
    """The same of its undo; it opens their own customer again, the first of them."""
    yield from _notices(event_id, fact, Kind.CUSTOMERS_UNMERGED, "")


def _notices(
    event_id: UUID, fact: pb.CustomersMerged | pb.CustomersUnmerged, kind: Kind, opens: str
) -> Iterator[Notice]:
    owners = dict.fromkeys(one.owner_id for one in fact.losers if one.owner_id not in ("", fact.actor_id))
    for owner_id in owners:
        mine = [one for one in fact.losers if one.owner_id == owner_id]
        names = [one.name for one in mine]
        about = {"count": len(names), "customers": names, "actor_id": fact.actor_id, "survivor": fact.survivor.name}
        yield Notice(
            source_event_id=event_id,
            member_id=UUID(owner_id),
            kind=kind,
            parameters=about,
            subject_type="customer",
            subject_id=UUID(opens or mine[0].id),
        )
