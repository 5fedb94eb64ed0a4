"""What customer exports and what import reads are the same fields (E-09)."""

from crm_customer.exports.rules import customer_columns
from crm_import.kinds.registry import KINDS
from crm_import.mapping.rules import guess_mapping

# Columns that an export has besides: an import leaves them alone.
_TOLD = {"pool", "created_by", "created_at", "updated_at", "last_touch_at"}
# Of files of other systems alone: nothing that is deleted is exported.
_READ_ONLY = {"deleted"}


def test_exported_columns_of_customers_are_those_that_an_import_fills() -> None:
    kind = KINDS["customers"]
    names = [column.name for column in customer_columns(())]

    assert len(names) == len(set(names))
    assert set(names) - _TOLD == kind.by_name.keys() - _READ_ONLY
    for language in ("zh", "en"):
        own = {column.name: column.zh if language == "zh" else column.en for column in customer_columns(())}
        headers = [kind.label(name, language) if name in kind.by_name else own[name] for name in names]
        assert guess_mapping(headers, kind) == [None if name in _TOLD else name for name in names]
