"""Which column fills which field: guessed from the header (D-17), checked against the required fields (D-18)."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from crm_import.mapping.fields import FIELDS, Field

_BRACKETED = re.compile(r"[(\[【<].*?[)\]】>]")
_DECORATION = re.compile(r"[\s*_\-.:/\\'\"]+")
_CONTACT = re.compile(r"^(首要联系人|主要联系人|联系人|contact|primarycontact)(的|s)?")
_MOBILE = re.compile(r"1[0-9]{10}")
_COUNTRY = re.compile(r"^(\+|00)?86(?=1)")
_CUSTOMER = re.compile(r"^(客户|公司|企业|customer|company|account)(的|s)?")


def plain(header: str) -> str:
    """A header without case, width, blanks, stars and remarks in brackets: `＊手机号码（必填）` → `手机号码`."""
    text = unicodedata.normalize("NFKC", header).casefold()
    return _DECORATION.sub("", _BRACKETED.sub("", text))


def _known(fields: Sequence[Field]) -> dict[str, str]:
    names: dict[str, str] = {}
    for field in fields:
        for header in (field.name, field.zh, field.en, *field.headers):
            names.setdefault(plain(header), field.name)
    return names


_ANY = _known(FIELDS)
_LABELS = {plain(header): field.name for field in FIELDS for header in (field.name, field.zh, field.en)}
_OF_CONTACT = {
    plain(header): field.name
    for field in FIELDS
    if field.name.startswith("contact.")
    for header in (field.zh, field.en, field.name.removeprefix("contact."), *field.headers)
}
_OF_CUSTOMER = _known([field for field in FIELDS if not field.name.startswith("contact.")])


def guess_field(header: str) -> str | None:
    """The field that a column headed `header` most likely holds, or None."""
    text = plain(header)
    if not text:
        return None
    if text in _ANY:
        return _ANY[text]
    for prefix, known in ((_CONTACT, _OF_CONTACT), (_CUSTOMER, _OF_CUSTOMER)):
        rest = prefix.sub("", text, count=1)
        if rest != text and rest in known:
            return known[rest]
    return None


def guess_mapping(headers: Sequence[str], samples: Sequence[str] = ()) -> list[str | None]:
    """For each column its field. A field is given once: to the column that bears its label, else to the first
    that may mean it, so that 手机 wins over an earlier 移动电话. A phone column whose first value (in `samples`)
    is a mobile number is the mobile, when there is no other.
    """
    found: list[str | None] = [None] * len(headers)
    for guess in (lambda header: _LABELS.get(plain(header)), guess_field):
        for index, header in enumerate(headers):
            field = guess(header)
            if found[index] is None and field not in found:
                found[index] = field
    if samples and "contact.phone" in found and "contact.mobile" not in found:
        phone = found.index("contact.phone")
        if match_key("contact.mobile", samples[phone]):
            found[phone] = "contact.mobile"
    return found


def missing_fields(mapped: Mapping[str, int], *, is_mobile_required: bool) -> list[str]:
    """The required fields that no column fills: the name always (A-35), the mobile where it is demanded (X-02)."""
    required = ["name", *(["contact.mobile"] if is_mobile_required else [])]
    return [name for name in required if name not in mapped]


def usable_match_fields(match_fields: Sequence[str], mapped: Mapping[str, int]) -> list[str]:
    """Those match fields that a column fills, in their order: the others can never match (D-20)."""
    return [name for name in match_fields if name in mapped]


def match_key(field: str, text: str) -> str:
    """The form in which two values of a match field are the same; empty when there is nothing to compare: many
    rows may say 无 where a mobile is missing.
    """
    key = "".join(unicodedata.normalize("NFKC", text).lower().split())
    if field != "contact.mobile":
        return key
    digits = _COUNTRY.sub("", key.replace("-", ""))
    return digits if _MOBILE.fullmatch(digits) else ""
