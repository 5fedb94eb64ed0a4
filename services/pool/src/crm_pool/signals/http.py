"""REST of the signals that somebody hoards customers."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from chassis import clock
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_pool.assignments.http import named, names_of
from crm_pool.assignments.queries import Sight, sight_of
from crm_pool.history.queries import names_in_sight
from crm_pool.signals import queries
from crm_pool.signals.views import ExampleView, SignalQuery, SignalView
from directory.permissions import Permission
from directory.scope import zone_of

api = Api("signals")


@api.route(
    "GET",
    "/pools/signals",
    access=Permission.POOL_ASSIGN,
    summary="Who may hoard customers",
    query=SignalQuery,
    reply=Page[SignalView],
)
def list_signals(call: Call[None, SignalQuery]) -> Page[SignalView]:
    """Of members in the departments one sees, of everybody with pool.manage; those with most customers first."""
    page, page_size, kind = call.query.page, call.query.page_size, call.query.kind
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        found = queries.signals(session, sight.scope, clock.now(), zone_of(session))
        wanted = [one for one in found if kind in (None, one.kind)]
        items = _views(session, sight, wanted[(page - 1) * page_size : page * page_size])
    return Page[SignalView](items=items, page=page, page_size=page_size, total=len(wanted))


def _views(session: Session, sight: Sight, found: Sequence[queries.Signal]) -> list[SignalView]:
    members = names_of(session, {one.member_id for one in found}, ())
    customers = names_in_sight(session, sight, [id_ for one in found for id_ in one.latest])
    return [
        SignalView(
            kind=one.kind,
            member=named(one.member_id, members),
            customers=one.customers,
            occasions=one.occasions,
            claims=one.claims,
            latest=[ExampleView(id=id_, name=customers.get(id_)) for id_ in one.latest],
        )
        for one in found
    ]
