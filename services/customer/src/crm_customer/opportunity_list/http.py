"""REST of lists, the board and the totals of opportunities."""

from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from chassis.clock import day_of, now
from chassis.errors import FieldError, Forbidden, invalid
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_customer.customers.sight import Sight, sight_of
from crm_customer.dictionaries.queries import load_options
from crm_customer.dictionaries.rules import Options
from crm_customer.listing.rules import day_after, start_of
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
    OpportunityList,
    Sort,
    Sums,
    Wanted,
    months_before,
    months_between,
    stages_in_order,
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
from crm_customer.paging import Cursor, Total, Window, read_position, shown, total_shown, window_of
from directory.permissions import Permission
from directory.scope import zone_of

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
    query, page = call.query, None
    with call.runtime.database.reading() as session:
        sight = sight_of(session, call.actor.id)
        if query.deleted and not sight.scope.may(Permission.CUSTOMER_UPDATE):
            raise Forbidden("forbidden", permission=Permission.CUSTOMER_UPDATE)
        wanted = _wanted(session, query, zone_of(session))
        wanted = replace(wanted, which=query.list, sort=query.sort, deleted=query.deleted)
        if not query.needs_total:
            page = _page(session, sight, wanted, query, None)
    count = None if page is None else total_shown(query, page)
    if count is None:
        count = total(call.runtime.database, sight, wanted)
    if page is None:
        with call.runtime.database.reading() as session:
            page = _page(session, sight, wanted, query, count)
    page.total, page.total_is_estimate = count.rows, count.estimated
    return page


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
        sight, options, zone = sight_of(session, call.actor.id), load_options(session), zone_of(session)
        closed_from = query.closed_from or day_of(now(), zone).replace(day=1)
        wanted = _wanted(session, query.model_copy(update={"closed_from": closed_from}), zone)
        wanted = replace(wanted, board=True)
        sums, cards = sums_by_stage(session, sight, wanted), first_cards(session, sight, wanted, query.cards + 1)
        offered = [one.key for one in options.options if one.dictionary == STAGES and one.active]
        seen = seen_opportunities(session, sight, [id_ for ids in cards.values() for id_ in ids])
    views = {view.id: view for view in opportunity_views(seen)}
    columns = [
        _column(stage, sums.get(stage), [views[id_] for id_ in cards.get(stage, ())], query.cards)
        for stage in stages_in_order(offered, sums, CLOSED)
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
        sight, zone = sight_of(session, call.actor.id), zone_of(session)
        months = _months(query, day_of(now(), zone))
        wanted = _wanted(session, query, zone)
        since, until = start_of(months[0], zone), start_of(months_before(months[-1], -1), zone)
        created = replace(
            wanted,
            created_from=max(since, wanted.created_from or since),
            created_until=min(until, wanted.created_until or until),
        )
        closed = replace(
            wanted,
            closed_from=max(since, wanted.closed_from or since),
            closed_until=min(until, wanted.closed_until or until),
        )
        new = _by_first(sums_by_month(session, sight, created, "created_at", zone))
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
        funnel=_funnel(_by_first(still_open), options),
        forecast=[
            ForecastView(month=month, **sums_of(sums))
            for month, sums in sorted(_by_last(still_open).items(), key=lambda one: one[0] or date.max)
        ],
    )


def _page(
    session: Session, sight: Sight, wanted: Wanted, query: OpportunityQuery, count: Total | None
) -> Page[OpportunityView]:
    """The page, with its number and how to go on after it; `count` is given where it is found from the end."""
    order, window = str(wanted.sort), window_of(query, count)
    if query.cursor:
        if not wanted.sort.is_moment:
            raise invalid(FieldError("/cursor", "unknown_cursor"))
        cursor = read_position(query.cursor, order)
        wanted, window = replace(wanted, after=(cursor.at, cursor.id)), Window(cursor.page, 0, query.page_size)
    wanted = replace(wanted, backwards=window.backwards)
    one_more = 0 if window.backwards else 1
    found = page_of(session, sight, wanted, window.offset, window.limit + one_more) if window.limit else []
    ids, more = shown(found, window)
    items = opportunity_views(seen_opportunities(session, sight, ids))
    goes_on = more and items and wanted.sort.is_moment
    after = Cursor(order, getattr(items[-1], wanted.sort.column), items[-1].id, window.page + 1) if goes_on else None
    return Page(
        items=items,
        page=window.page,
        page_size=query.page_size,
        total=0,
        next_cursor=after.written() if after else None,
    )


def _wanted(session: Session, query: OpportunityFilter, zone: str) -> Wanted:
    """As plain values. Raises Invalid for a stage that does not exist."""
    stage = load_options(session).find(STAGES, query.stage) if query.stage else ""
    if stage is None:
        raise invalid(FieldError("/stage", "unknown_option", {"value": query.stage}))
    return Wanted(
        stage=stage,
        currency=query.currency or "",
        owner_id=query.owner_id,
        customer_id=query.customer_id,
        search=query.search,
        expected_from=query.expected_from,
        expected_to=query.expected_to,
        created_from=start_of(query.created_from, zone) if query.created_from else None,
        created_until=start_of(day_after(query.created_to), zone) if query.created_to else None,
        closed_from=start_of(query.closed_from, zone) if query.closed_from else None,
        closed_until=start_of(day_after(query.closed_to), zone) if query.closed_to else None,
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


def _by_first(sums: dict[tuple[Any, Any], Sums]) -> dict[Any, Sums]:
    return _merged((key[0], one) for key, one in sums.items())


def _by_last(sums: dict[tuple[Any, Any], Sums]) -> dict[Any, Sums]:
    return _merged((key[1], one) for key, one in sums.items())


def _merged(keyed: Any) -> dict[Any, Sums]:
    found: dict[Any, Sums] = {}
    for key, sums in keyed:
        found.setdefault(key, Sums()).join(sums)
    return found


def _funnel(sums: dict[str, Sums], options: Options) -> list[StageSums]:
    offered = [one.key for one in options.options if one.dictionary == STAGES and one.active and one.key not in CLOSED]
    return [StageSums(stage=stage, **sums_of(sums.get(stage))) for stage in stages_in_order(offered, sums, CLOSED)]
