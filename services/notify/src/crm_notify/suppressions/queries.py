"""Reading which addresses are suppressed."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm_notify.deliveries.rules import Channel
from crm_notify.suppressions.model import Suppression
from crm_notify.suppressions.rules import Reason, normalised


def reasons_of(session: Session, channel: Channel, addresses: Collection[str]) -> Mapping[str, Collection[str]]:
    """Of these addresses (as given) those that are suppressed, each with the reasons."""
    spelt = {address: normalised(address) for address in addresses}
    rows = session.execute(
        select(Suppression.address, func.array_agg(Suppression.reason))
        .where(Suppression.channel == channel, Suppression.address.in_(set(spelt.values())))
        .group_by(Suppression.address)
    )
    found = {row[0]: row[1] for row in rows}
    return {address: found[key] for address, key in spelt.items() if key in found}


def suppressions(
    session: Session, search: str, reason: Reason | None, page: int, page_size: int
) -> tuple[Sequence[Suppression], int]:
    """One page, newest first, and how many there are; `search` is any part of the address."""
    wanted = [Suppression.address.contains(search.strip().lower(), autoescape=True)] if search.strip() else []
    if reason is not None:
        wanted.append(Suppression.reason == reason)
    total = session.scalar(select(func.count()).select_from(Suppression).where(*wanted)) or 0
    rows = session.scalars(
        select(Suppression)
        .where(*wanted)
        .order_by(Suppression.id.desc())
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return rows.all(), total
