"""Reading options."""

from collections.abc import Sequence

from sqlalchemy import Text, column, func, select, table
from sqlalchemy.orm import Session

from crm_customer.dictionaries.model import DictionaryOption
from crm_customer.dictionaries.rules import Option, Options

# Customers and contacts build on dictionaries, so dictionaries know of them only this: where options are kept, in the
# table of customers and a column of the same name unless said.
_KEPT_IN = {
    "contact_group": ("contacts", "contact_group"),
    "relation_type": ("customer_contacts", "relation_type"),
    "follow_up_method": ("activities", "method"),
    "opportunity_stage": ("opportunities", "stage"),
    "lost_reason": ("opportunities", "lost_reason"),
    "opportunity_source": ("opportunities", "source"),
    "opportunity_channel": ("opportunities", "channel"),
    "opportunity_heat": ("opportunities", "heat"),
}
_ORDER = (DictionaryOption.dictionary, DictionaryOption.position, DictionaryOption.key)


def load_options(session: Session) -> Options:
    """All options, in the order in which they are shown."""
    rows = DictionaryOption
    columns = (rows.dictionary, rows.key, rows.label_zh, rows.label_en, rows.at_least, rows.active)
    return Options.of(Option(*row) for row in session.execute(select(*columns).order_by(*_ORDER)))


def all_options(session: Session) -> Sequence[DictionaryOption]:
    """The same as rows."""
    return session.scalars(select(DictionaryOption).order_by(*_ORDER)).all()


def uses(session: Session, option: DictionaryOption) -> int:
    """How many records have chosen the option, those in the recycle bin too."""
    name, key = _KEPT_IN.get(option.dictionary, ("customers", option.dictionary))
    chosen = column(key, Text)
    kept_in = table(name, chosen)
    return session.scalar(select(func.count()).select_from(kept_in).where(chosen == option.key)) or 0
