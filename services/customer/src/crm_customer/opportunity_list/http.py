"""REST of lists, the board and the totals of opportunities."""

from dataclasses import replace
from datetime import date

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.days import day_of, span, start_of
from chassis.errors import FieldError, Forbidden, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.customers.sight import sight_of
from crm_customer.dictionaries.queries import load_options
from crm_customer.dictionaries.rules import Options
from crm_customer.opportunities.queries import seen_opportunities
from crm_customer.opportunities.rules import CLOSED, LOST, STAGES, WON
from crm_customer.opportunities.views import OpportunityView, opportunity_views
from crm_customer.opportunity_list.queries import (
    first_cards,
    page_of,
    sums_by_month,
    sums_by_stage,
    sums_of_open,
    total,
)
from crm_customer.opportunity_list.rules import (
    MOST_MONTHS,
    OpportunityConditions,
    OpportunityList,
    Sort,
    Sums,
    months_before,
    months_between,
    stages_in_order,
    summed,
    within,
)
from crm_customer.opportunity_list.views import (
    BoardQuery,
    BoardView,
    ColumnView,
    ForecastView,
    MonthView,
    OpportunityFilter,
    OpportunityQuery,
    StageSums,
    TotalsQuery,
    TotalsView,
    sums_of,
    sums_view,
)
from crm_customer.paging import Cursor, Listing, paged
from directory.permissions import Permission

api = Api("opportunities")


@api.route(
    "GET",
    "/opportunities",
    access=Permission.CUSTOMER_READ,
    summary="List opportunities",
    query=OpportunityQuery,
    reply=Page[OpportunityView],
)
def list_opportunities(call: Call[None, OpportunityQuery]) -> Page[OpportunityView]:
    """新机会, 已成单, 已丢单 (L-12) of the customers that the caller sees, with conditions and a quick search (L-13); with
    `deleted` the recycle bin, which needs customer.update.
    """
    return paged(call.runtime.database, call.query, lambda session: _listing(session, call))


def _listing(session: Session, call: Call[None, OpportunityQuery]) -> Listing[OpportunityConditions, OpportunityView]:
    query, sight = call.query, sight_of(session, call.actor.id)
    if query.deleted and not sight.scope.may(Permission.CUSTOMER_UPDATE):
        raise Forbidden("forbidden", permission=Permission.CUSTOMER_UPDATE)
    wanted = _wanted(session, query, sight.scope.zone)
    return Listing(
        replace(wanted, which=query.list, sort=query.sort, deleted=query.deleted),
        order=str(query.sort),
        moment=query.sort.column if query.sort.is_moment else "",
        find=lambda session, *where: page_of(session, sight, *where),
        show=lambda session, ids: opportunity_views(seen_opportunities(session, sight, ids)),
        total=lambda wanted: total(call.runtime.database, sight, wanted),
    )


@api.route(
    "GET",
    "/opportunities/board",
    access=Permission.CUSTOMER_READ,
    summary="Opportunities by stage",
    query=BoardQuery,
    reply=BoardView,
)
def read_opportunity_board(call: Call[None, BoardQuery]) -> BoardView:
    """Stages as columns, with what lies in each and the newest cards; the list goes on from `next_cursor`."""
    query = call.query
    with call.runtime.database.reading() as session:
        sight, options = sight_of(session, call.actor.id), load_options(session)
        zone = sight.scope.zone
        closed_from = query.closed_from or day_of(now(), zone).replace(day=1)
        wanted = _wanted(session, query.model_copy(update={"closed_from": closed_from}), zone)
        wanted = replace(wanted, board=True)
        sums, cards = sums_by_stage(session, sight, wanted), first_cards(session, sight, wanted, query.cards + 1)
        seen = seen_opportunities(session, sight, [id_ for ids in cards.values() for id_ in ids])
    views = {view.id: view for view in opportunity_views(seen)}
    columns = [
        _column(stage, sums.get(stage), [views[id_] for id_ in cards.get(stage, ())], query.cards)
        for stage in stages_in_order(_offered(options), sums, CLOSED)
        if wanted.stage in ("", stage)
    ]
    return BoardView(closed_from=closed_from, columns=columns)


@api.route(
    "GET",
    "/opportunities/totals",
    access=Permission.CUSTOMER_READ,
    summary="Totals, funnel and forecast of opportunities",
    query=TotalsQuery,
    reply=TotalsView,
)
def read_opportunity_totals(call: Call[None, TotalsQuery]) -> TotalsView:
    """新机会总额, 已成单总额, 已丢单总额 of each month (L-15), in the organisation's zone, of what the caller sees; the funnel of
    what is open, and when that is expected (L-17).
    """
    query = call.query
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        zone = sight.scope.zone
        months = _months(query, day_of(now(), zone))
        wanted = _wanted(session, query, zone)
        since, until = start_of(months[0], zone), start_of(months_before(months[-1], -1), zone)
        created, closed = (within(wanted, moment, since, until) for moment in ("created", "closed"))
        new = summed(sums_by_month(session, sight, created, "created_at", zone), 0)
        ended = sums_by_month(session, sight, closed, "closed_at", zone)
        unclosed = replace(wanted, which=OpportunityList.OPEN, closed_from=None, closed_until=None)
        still_open = sums_of_open(session, sight, unclosed)
        options = load_options(session)
    return TotalsView(
        months=[
            MonthView(
                month=month,
                new=sums_view(new.get(month)),
                won=sums_view(ended.get((month, WON))),
                lost=sums_view(ended.get((month, LOST))),
            )
            for month in months
        ],
        funnel=_funnel(summed(still_open, 0), options),
        forecast=[
            ForecastView(month=month, **sums_of(sums))
            for month, sums in sorted(summed(still_open, 1).items(), key=lambda one: one[0] or date.max)
        ],
    )


def _wanted(session: Session, query: OpportunityFilter, zone: str) -> OpportunityConditions:
    """As plain values. Raises Invalid for a stage that does not exist."""
    stage = load_options(session).find(STAGES, query.stage) if query.stage else ""
    if stage is None:
        raise invalid(FieldError("/stage", "unknown_option", {"value": query.stage}))
    created_from, created_until = span(query.created_from, query.created_to, zone)
    closed_from, closed_until = span(query.closed_from, query.closed_to, zone)
    return OpportunityConditions(
        stage=stage,
        currency=query.currency or "",
        owner_id=query.owner_id,
        customer_id=query.customer_id,
        search=query.search,
        expected_from=query.expected_from,
        expected_to=query.expected_to,
        created_from=created_from,
        created_until=created_until,
        closed_from=closed_from,
        closed_until=closed_until,
        amount_from=query.amount_from,
        amount_to=query.amount_to,
    )


def _column(stage: str, sums: Sums | None, cards: list[OpportunityView], most: int) -> ColumnView:
    last = cards[most - 1] if len(cards) > most else None
    after = Cursor(Sort.NEWEST, last.created_at, last.id, 2).written() if last else None
    return ColumnView(stage=stage, cards=cards[:most], next_cursor=after, **sums_of(sums))


def _months(query: TotalsQuery, today: date) -> list[date]:
    """Raises Invalid before_from, or too_many_months."""
    last = query.to or max(today, query.from_ or today)
    first = query.from_ or months_before(last, 11)
    months = months_between(first, last)
    if first > last:
        raise invalid(FieldError("/to", "before_from"))
    if len(months) > MOST_MONTHS:
        raise invalid(FieldError("/from", "too_many_months", {"most": MOST_MONTHS}))
    return months


def _offered(options: Options) -> list[str]:
    return [one.key for one in options.options if one.dictionary == STAGES and one.active]


def _funnel(sums: dict[str, Sums], options: Options) -> list[StageSums]:
    offered = [stage for stage in _offered(options) if stage not in CLOSED]
    return [StageSums(stage=stage, **sums_of(sums.get(stage))) for stage in stages_in_order(offered, sums, CLOSED)]
