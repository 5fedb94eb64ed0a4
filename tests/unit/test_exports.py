"""What customer exports and what import reads are the same fields (E-09)."""

import pytest

from crm_customer.exports.rules import Column, activity_columns, contact_columns, customer_columns
from crm_import.kinds.registry import KINDS
from crm_import.mapping.rules import guess_mapping

_TOLD = {"created_by", "created_at", "updated_at"}


# `told`: columns that an import leaves alone; `unsaid`: fields of files of other systems alone.
@pytest.mark.parametrize(
    ("name", "columns", "told", "unsaid"),
    [
        ("customers", customer_columns(()), _TOLD | {"pool", "last_touch_at"}, {"deleted"}),
        ("contacts", contact_columns(), _TOLD | {"tags"}, set()),
        ("activities", activity_columns(), {"id"}, set()),
    ],
)
def test_exported_columns_are_those_that_an_import_fills(
    name: str, columns: list[Column], told: set[str], unsaid: set[str]
) -> None:
    kind = KINDS[name]
    names = [column.name for column in columns]

    assert len(names) == len(set(names))
    assert set(names) - told == kind.by_name.keys() - unsaid
    for language in ("zh", "en"):
        own = {column.name: column.zh if language == "zh" else column.en for column in columns}
        headers = [kind.label(name, language) if name in kind.by_name else own[name] for name in names]
        assert guess_mapping(headers, kind) == [None if name in told else name for name in names]
