"""What an opportunity may hold, and how it is won and lost. Pure functions."""

from collections.abc import Iterator, Mapping
from typing import Any

from chassis.errors import FieldError
from crm_customer.dictionaries.rules import Options

STAGES, LOST_REASONS = "opportunity_stage", "lost_reason"
# Keys of the stages that close an opportunity, whatever they are called; all others are open.
WON, LOST = "won", "lost"
CLOSED = (WON, LOST)
# Fields that hold an option, with the dictionary.
CHOSEN = {"source": "opportunity_source", "channel": "opportunity_channel", "heat": "opportunity_heat"}
LONGEST_NAME, LONGEST_TEXT = 100, 2000


def refusal(current: str, wanted: str, *, restricted: bool) -> str | None:
    """The code of what keeps a member from moving an opportunity by hand; None: nothing does (L-08, L-09, X-29).

    `restricted`: only completed orders win an opportunity.
    """
    if wanted == current:
        return None
    if current == WON and (restricted or wanted == LOST):
        return "opportunity_won"
    return "won_by_orders_only" if wanted == WON and restricted else None


def chosen(field: str, text: str, dictionary: str, options: Options) -> str | FieldError:
    """The key of the option that `text`, its key or label, means, to be chosen anew; else what is wrong with it."""
    key = options.find(dictionary, text)
    if key is None:
        return FieldError(f"/{field}", "unknown_option", {"value": text})
    return key if options.offers(dictionary, key) else FieldError(f"/{field}", "option_inactive", {"value": text})


def checked(given: Mapping[str, Any], present: Mapping[str, Any], options: Options) -> tuple[dict[str, Any], list[Any]]:
    """What is `given`, with keys of options, and what is wrong with it. What is `present` already may stay."""
    values, errors = dict(given), []
    for field, dictionary in CHOSEN.items():
        text = given.get(field)
        if not text:
            values |= {field: None} if field in given else {}
            continue
        key = chosen(field, text, dictionary, options)
        if isinstance(key, FieldError) and present.get(field) and options.find(dictionary, text) == present[field]:
            key = present[field]
        if isinstance(key, FieldError):
            errors.append(key)
        else:
            values[field] = key
    return values, errors


def open_stage(stage: str | None, options: Options) -> str | None:
    """`stage`, if it is an open one that still exists; else the first open one that can be chosen."""
    keys = [one.key for one in options.options if one.dictionary == STAGES and one.key not in CLOSED]
    return stage if stage in keys else next((key for key in keys if options.offers(STAGES, key)), None)


def followed(present: Mapping[str, Any], values: Mapping[str, Any], *, by_orders: bool, ordered: bool) -> Iterator[Any]:
    """What may not be edited: the amount of what orders have won (L-10), the currency of what has orders."""
    for field, code, kept in (
        ("amount", "amount_follows_orders", by_orders),
        ("currency", "currency_of_orders", ordered),
    ):
        if kept and field in values and values[field] != present[field]:
            yield FieldError(f"/{field}", code)
