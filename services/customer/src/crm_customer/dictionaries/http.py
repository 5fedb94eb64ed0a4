"""REST of options and regions."""

from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_customer.dictionaries import commands
from crm_customer.dictionaries.queries import all_options
from crm_customer.dictionaries.rules import ALL, CLOSED, control, regions
from crm_customer.dictionaries.views import DictionariesView, NewOption, OptionChange, OptionView, RegionsView
from directory.permissions import Permission

api = Api("dictionaries")


@api.route(
    "GET",
    "/dictionaries",
    access=Access.MEMBER,
    summary="Options of customers, contacts and activities",
    reply=DictionariesView,
)
def list_dictionaries(call: Call[None, None]) -> DictionariesView:
    """Every option with its words, also those no longer offered (A-36 to A-54, A-82)."""
    found: dict[str, list[OptionView]] = {name: [] for name in ALL}
    with call.runtime.database.reading() as session:
        for option in all_options(session):
            found.setdefault(option.dictionary, []).append(OptionView.model_validate(option))
    controls = {name: control(name, sum(option.active for option in options)) for name, options in found.items()}
    return DictionariesView(dictionaries=found, controls=controls, closed=list(CLOSED))


@api.route(
    "POST",
    "/dictionaries/<dictionary>/options",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Add an option",
    body=NewOption,
    reply=OptionView,
    status=201,
    idempotent=True,
    versioned=True,
)
def add_option(call: Call[NewOption, None], dictionary: str) -> OptionView:
    """Offered from now on in forms, filters and imports (A-82, X-21)."""
    values = call.body.model_dump()
    return call.command(
        lambda session: OptionView.model_validate(commands.add_option(session, call.actor.id, dictionary, values))
    )


@api.route(
    "PATCH",
    "/dictionaries/<dictionary>/options/<key>",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Change an option",
    body=OptionChange,
    reply=OptionView,
    versioned=True,
)
def change_option(call: Call[OptionChange, None], dictionary: str, key: str) -> OptionView:
    """Words, order, and with `active` false: shown where it was chosen, and offered no more (X-21)."""
    expected, values = call.expected_version(), call.body.model_dump(exclude_unset=True)
    with call.runtime.database.transaction() as session:
        option = commands.change_option(session, call.actor.id, (dictionary, key), expected, values)
        return OptionView.model_validate(option)


@api.route(
    "DELETE",
    "/dictionaries/<dictionary>/options/<key>",
    access=Permission.CUSTOMER_CONFIGURE,
    summary="Delete an option that nobody has chosen",
    status=204,
    versioned=True,
)
def remove_option(call: Call[None, None], dictionary: str, key: str) -> None:
    """Not what is part of the product, and not what a record holds: those can be made inactive instead (A-82)."""
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.remove_option(session, call.actor.id, (dictionary, key), expected)


@api.route(
    "GET", "/dictionaries/regions", access=Access.MEMBER, summary="Provinces with their cities", reply=RegionsView
)
def list_regions(_call: Call[None, None]) -> RegionsView:
    """Provinces and cities of China for the address (A-42)."""
    return RegionsView.model_validate({"provinces": regions().provinces})
