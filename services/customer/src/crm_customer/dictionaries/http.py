"""REST of options and regions."""

from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_customer.dictionaries.queries import load_options
from crm_customer.dictionaries.rules import DICTIONARIES, regions
from crm_customer.dictionaries.views import DictionariesView, OptionView, RegionsView

api = Api("dictionaries")


@api.route("GET", "/dictionaries", access=Access.MEMBER, summary="Options of customer fields", reply=DictionariesView)
def list_dictionaries(call: Call[None, None]) -> DictionariesView:
    """Industry, source, company nature, annual turnover, employee count and customer type (A-36 to A-54)."""
    with call.runtime.database.reading() as session:
        options = load_options(session).options
    found: dict[str, list[OptionView]] = {name: [] for name in DICTIONARIES}
    for option in options:
        shown = OptionView(key=option.key, zh=option.label_zh, en=option.label_en)
        found.setdefault(option.dictionary, []).append(shown)
    return DictionariesView(dictionaries=found)


@api.route(
    "GET", "/dictionaries/regions", access=Access.MEMBER, summary="Provinces with their cities", reply=RegionsView
)
def list_regions(_call: Call[None, None]) -> RegionsView:
    """Provinces and cities of China for the address (A-42)."""
    return RegionsView.model_validate({"provinces": regions().provinces})
