"""REST of pools' figures."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis.errors import Forbidden, NotFound
from chassis.http.api import Api
from chassis.http.call import Call
from crm_pool.assignments.rules import Cause
from crm_pool.assignments.views import Named
from crm_pool.figures.queries import Figures, Moves, figures
from crm_pool.figures.views import ClaimsView, DayView, FiguresQuery, FiguresView, ReturnsView, StaysView
from crm_pool.history.views import Period
from crm_pool.pools.model import Pool
from crm_pool.pools.queries import visible_pools
from directory.permissions import Permission
from directory.scope import resolve_scope, zone_of

api = Api("figures")
_DAYS = 30


@api.route(
    "GET",
    "/pools/<uuid:pool_id>/figures",
    access=Permission.CUSTOMER_READ,
    summary="What came, went, stayed and was touched in a pool",
    query=FiguresQuery,
    reply=FiguresView,
)
def read_figures(call: Call[None, FiguresQuery], pool_id: UUID) -> FiguresView:
    """For whoever sees the pool and runs it or assigns customers."""
    with call.runtime.database.reading() as session:
        scope = resolve_scope(session, call.actor.id)
        pool = visible_pools(session, scope).get(pool_id)
        if pool is None:
            raise NotFound("not_found")
        if not (scope.may(Permission.POOL_ASSIGN) or pool.run_by(scope)):
            raise Forbidden("forbidden", permission=Permission.POOL_ASSIGN)
        period = call.query.period(zone_of(session), _DAYS)
        return _view(pool, period, figures(session, [pool_id], period))


def _view(pool: Pool, period: Period, found: Figures) -> FiguresView:
    return FiguresView(
        pool=Named(id=pool.id, name=pool.name),
        from_=period.first,
        to=period.last,
        customers=found.lying,
        days=_days(found.moves),
        stays=StaysView(
            customers=found.stays, average_days=found.stay_days_average, median_days=found.stay_days_median
        ),
        returns=ReturnsView(
            customers=found.returns,
            again=found.returns_again,
            share_again=_share(found.returns_again, found.returns),
        ),
        claims=ClaimsView(
            customers=found.claims,
            touched=found.claims_touched,
            share_untouched=_share(found.claims - found.claims_touched, found.claims),
            average_hours=found.touch_hours_average,
            median_hours=found.touch_hours_median,
        ),
    )


def _days(moves: Sequence[Moves]) -> list[DayView]:
    days: dict[date, tuple[dict[Cause, int], dict[Cause, int]]] = defaultdict(lambda: ({}, {}))
    for one in moves:
        came, went = days[one.day]
        (came if one.came else went)[Cause(one.cause)] = one.customers
    return [DayView(day=day, in_=came, out=went) for day, (came, went) in days.items()]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
