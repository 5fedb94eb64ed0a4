"""Reading options."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm_customer.dictionaries.model import DictionaryOption
from crm_customer.dictionaries.rules import Option, Options


def load_options(session: Session) -> Options:
    """All options, in the order in which they are shown."""
    table = DictionaryOption
    rows = session.execute(
        select(table.dictionary, table.key, table.label_zh, table.label_en, table.at_least, table.active).order_by(
            table.dictionary, table.position
        )
    )
    return Options.of(Option(*row) for row in rows)
