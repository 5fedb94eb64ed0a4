"""Tickets: one member, one record, one use, one minute."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from chassis.clock import now
from chassis.database.tables import tickets
from chassis.due import housekeeping
from chassis.errors import NotFound
from chassis.identifiers import new_id
from chassis.tickets import LIFETIME, Permit, issue_ticket, redeem_ticket
from tests.support.services import OpenService


def test_a_ticket_is_good_once_for_what_it_was_given_for(sample: OpenService) -> None:
    permit, moment = Permit(new_id(), new_id()), now()
    with sample.database.transaction() as session:
        ticket = issue_ticket(session, permit.member_id, "file", permit.subject_id, moment)

    with sample.database.transaction() as session, pytest.raises(NotFound, match="ticket_invalid"):
        redeem_ticket(session, ticket, "export", moment)
    with sample.database.transaction() as session:
        assert redeem_ticket(session, ticket, "file", moment) == permit
    with sample.database.transaction() as session, pytest.raises(NotFound, match="ticket_invalid"):
        redeem_ticket(session, ticket, "file", moment)


@pytest.mark.parametrize("ticket", ["", "x", "\ud800", "\0", "字" * 5000])
def test_what_is_no_ticket_opens_nothing(sample: OpenService, ticket: str) -> None:
    with sample.database.transaction() as session, pytest.raises(NotFound, match="ticket_invalid"):
        redeem_ticket(session, ticket, "file", now())


def test_after_a_minute_a_ticket_is_worth_nothing_and_is_swept_away(sample: OpenService) -> None:
    issued = now() - LIFETIME
    with sample.database.transaction() as session:
        old = issue_ticket(session, new_id(), "file", new_id(), issued)
        issue_ticket(session, new_id(), "file", new_id(), issued)
        fresh = issue_ticket(session, new_id(), "file", new_id(), now())

    with sample.database.transaction() as session, pytest.raises(NotFound, match="ticket_invalid"):
        redeem_ticket(session, old, "file", issued + LIFETIME)
    housekeeping(sample.runtime)
    with sample.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(tickets)) == 1
        redeem_ticket(session, fresh, "file", now() + timedelta(seconds=50))


def test_only_a_hash_of_it_is_kept(sample: OpenService) -> None:
    with sample.database.transaction() as session:
        ticket = issue_ticket(session, new_id(), "file", new_id(), now())
        (kept,) = session.scalars(select(tickets.c.ticket_hash)).all()

    assert ticket.encode() not in kept
    assert len(ticket) >= 43
