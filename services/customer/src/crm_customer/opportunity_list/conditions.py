"""What the list of opportunities is asked for, as conditions on opportunities."""

from operator import eq, ge, le, lt
from typing import Any

from sqlalchemy import Select, and_, func, literal, literal_column, or_, select, true, tuple_, union_all

from crm_customer.customers.sight import Condition, met
from crm_customer.listing.texts import containing, has
from crm_customer.opportunities.model import Opportunity
from crm_customer.opportunities.rules import CLOSED, LOST, WON
from crm_customer.opportunity_list.rules import OpportunityConditions, OpportunityList
from crm_customer.search.model import CustomerSearch
from crm_customer.search.rules import bigrams, normalised

_LARGEST_NUMBER = 2**63 - 1
_COMPARED: tuple[tuple[str, Any, Any], ...] = (
    ("stage", Opportunity.stage, eq),
    ("currency", Opportunity.currency, eq),
    ("owner_id", Opportunity.owner_id, eq),
    ("customer_id", Opportunity.customer_id, eq),
    ("expected_from", Opportunity.expected_on, ge),
    ("expected_to", Opportunity.expected_on, le),
    ("created_from", Opportunity.created_at, ge),
    ("created_until", Opportunity.created_at, lt),
    ("amount_from", Opportunity.amount, ge),
    ("amount_to", Opportunity.amount, le),
)
_LISTS = {
    OpportunityList.OPEN: Opportunity.closed_at.is_(None),
    OpportunityList.WON: Opportunity.stage == WON,
    OpportunityList.LOST: Opportunity.stage == LOST,
    OpportunityList.ALL: true(),
}


def asked(wanted: OpportunityConditions) -> list[Condition]:
    """What is asked for, except the text."""
    deleted = Opportunity.deleted_at.is_not(None) if wanted.deleted else Opportunity.deleted_at.is_(None)
    found: list[Any] = [deleted, _LISTS[wanted.which]]
    for name, place, compare in _COMPARED:
        value = getattr(wanted, name)
        if value is not None and value != "":
            found.append(compare(place, value))
    closed = [
        compare(Opportunity.closed_at, value)
        for value, compare in ((wanted.closed_from, ge), (wanted.closed_until, lt))
        if value
    ]
    if closed:
        found.append(or_(Opportunity.closed_at.is_(None), and_(*closed)) if wanted.board else and_(*closed))
    if wanted.stage and wanted.stage not in CLOSED:
        found.append(Opportunity.closed_at.is_(None))
    if wanted.sort.column == "closed_at":
        found.append(Opportunity.closed_at.is_not(None))
    if wanted.after:
        here = tuple_(getattr(Opportunity, wanted.sort.column), Opportunity.id)
        there = tuple_(*map(literal, wanted.after))
        found.append(here < there if wanted.descends else here > there)
    return found


def found_by_text(search: str) -> Select[Any]:
    """Opportunities with this number, or this text in their name or their customer's, out of indexes (L-13)."""
    wanted = normalised(search)
    of_customer = containing(CustomerSearch.name, wanted, "").subquery()
    ways = [select(Opportunity.id).join(of_customer, of_customer.c.customer_id == Opportunity.customer_id)]
    if len(wanted) > 1:
        ways.append(select(Opportunity.id).where(Opportunity.grams.contains(sorted(bigrams(wanted))), _named(wanted)))
    ways += [select(Opportunity.id).where(condition) for condition in _numbered(wanted)]
    return select(union_all(*ways).subquery().c.id)


def met_by_text(search: str) -> Condition:
    """The same of the opportunity just met."""
    wanted = normalised(search)
    its = CustomerSearch.customer_id == Opportunity.customer_id
    of_customer = met(Opportunity, its, has(CustomerSearch.name, wanted))
    return or_(of_customer, *([_named(wanted)] if len(wanted) > 1 else []), *_numbered(wanted))


def _named(wanted: str) -> Condition:
    # The same as `normalised` says.
    folded = func.lower(func.normalize(Opportunity.name, literal_column("NFKC")))
    return func.strpos(func.regexp_replace(folded, r"\s", "", "g"), wanted) > 0


def _numbered(wanted: str) -> list[Condition]:
    is_number = wanted.isascii() and wanted.isdigit() and int(wanted) <= _LARGEST_NUMBER
    return [Opportunity.number == int(wanted)] if is_number else []
