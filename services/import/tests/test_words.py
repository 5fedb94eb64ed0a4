"""Every code has words, in both languages; headers and repeats are judged as people would."""

import re
import tomllib
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest

from chassis.wording import Messages
from crm_import.chunks.clients import WRITERS
from crm_import.kinds.activities import ACTIVITIES
from crm_import.kinds.contacts import CONTACTS
from crm_import.kinds.customers import CUSTOMERS
from crm_import.kinds.kind import Kind, KindName
from crm_import.kinds.members import MEMBERS
from crm_import.kinds.registry import KINDS
from crm_import.mapping.rules import guess_mapping, match_key
from crm_import.reading.cells import clean, escaped
from crm_import.results.rules import Problem, reason

MESSAGES = Messages(["crm_import"])
# What customer and, through it, pool answer for rows.
CUSTOMERS_CODES = (
    "missing", "string_too_long", "unknown_option", "postcode_invalid", "rating_invalid", "province_required",
    "city_not_in_province", "email_invalid", "qq_invalid", "mobile_invalid", "contact_remark_alone", "null_character",
    "unknown_owner", "ambiguous_owner", "customer_exists", "exists_out_of_scope", "forbidden", "uuid_parsing",
    "claim_first", "match_changed", "ambiguous_match", "assignee_inactive", "holding_cap_reached", "pool_not_found",
    "owner_out_of_reach", "url_invalid", "number_invalid", "number_out_of_range", "out_of_range", "date_invalid",
    "option_inactive", "unknown_field", "too_many_items", "parent_not_found", "parent_cycle", "deleted_refused",
    "unknown_tag", "ambiguous_tag", "one_tag_per_group",
)  # fmt: skip

CUSTOMERS_WORDS = {"max_length": 50, "max_items": 20, "least": "0", "most": "90"}

# What identity answers for rows of members, each with what its words are filled with.
IDENTITYS_CODES = {
    "missing": {}, "string_too_long": {"max_length": 64}, "login_invalid": {}, "email_invalid": {}, "phone_invalid": {},
    "unknown_department": {}, "ambiguous_department": {}, "unknown_role": {}, "too_many_roles": {"max_items": 20},
    "language_unknown": {}, "null_character": {}, "repeated_in_file": {"first_row": 2}, "member_exists": {},
    "member_inactive": {}, "is_service_account": {}, "last_administrator": {},
}  # fmt: skip

CONTACTS_CODES = (
    "missing", "contact_name_missing", "contact_name_too_long", "string_too_long", "unknown_option", "option_inactive",
    "postcode_invalid", "email_invalid", "qq_invalid", "mobile_invalid", "null_character", "date_invalid",
    "birthday_not_past", "birthday_not_lunar", "lunar_day_unknown", "not_yes_or_no", "uuid_parsing", "customer_not_found", "ambiguous_customer", "claim_first",
    "read_only_collaborator", "not_of_this_customer", "unknown_owner", "ambiguous_owner", "forbidden",
    "owner_out_of_reach", "contact_exists", "exists_out_of_scope", "ambiguous_match", "match_changed",
)  # fmt: skip
ACTIVITIES_CODES = (
    "missing", "string_too_long", "null_character", "unknown_option", "option_inactive", "date_invalid",
    "moment_invalid", "at_in_future", "next_contact_past", "customer_not_found", "ambiguous_customer", "claim_first",
    "read_only_collaborator", "unknown_owner", "ambiguous_owner", "forbidden", "owner_out_of_reach", "already_recorded",
)  # fmt: skip


def _catalogue(language: str) -> dict[str, str]:
    return tomllib.loads(files("crm_import").joinpath("messages", f"{language}.toml").read_text(encoding="utf-8"))


def test_both_languages_word_the_same_codes_with_the_same_parameters() -> None:
    zh, en = _catalogue("zh"), _catalogue("en")

    assert zh.keys() == en.keys()
    for code, text in zh.items():
        used = set(re.findall(r"{(\w+)}", en[code]))
        assert used <= set(re.findall(r"{(\w+)}", text)) | {"max_length"}, code


def test_every_code_that_the_source_names_has_words() -> None:
    source = "".join(path.read_text() for path in Path(str(files("crm_import"))).rglob("*.py"))
    pattern = r'(?:RefusedFile|Invalid|Conflict|TooLarge|Unavailable|FieldError)\(\s*(?:f?"/[^"]*", )?"([a-z_]+)"'
    named = set(re.findall(pattern, source))

    assert len(named) > 25
    for language in ("zh", "en"):
        assert [code for code in named if MESSAGES.text(code, language, {}) == code] == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_reason_of_a_row_is_a_filled_sentence(language: str) -> None:
    told = [(CUSTOMERS, Problem("industry", code, "文化", CUSTOMERS_WORDS)) for code in CUSTOMERS_CODES]
    told += [(CONTACTS, Problem("name", code, "王芳", CUSTOMERS_WORDS)) for code in CONTACTS_CODES]
    told += [(ACTIVITIES, Problem("content", code, "谈过", CUSTOMERS_WORDS)) for code in ACTIVITIES_CODES]
    told += [(MEMBERS, Problem("roles", code, "老板", words)) for code, words in IDENTITYS_CODES.items()]

    for kind, problem in told:
        text = reason(problem, kind, MESSAGES, language)
        assert "{" not in text
        assert problem.code not in text, "the general sentence"
    assert "nonsense" in reason(Problem("name", "nonsense", "x"), CUSTOMERS, MESSAGES, language)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_has_its_writer_its_words_and_fields_that_exist(kind: Kind) -> None:
    assert kind.name in WRITERS
    matched = map(kind.matched_column, (*kind.match_fields, *kind.default_match_fields))
    named = {*kind.required, *kind.required_to_create, *matched}
    assert named | {kind.mobile, kind.phone} <= {*kind.by_name, None}
    for language, code in product(("zh", "en"), ("template_file", "template_sheet")):
        assert f"{code}.{kind.name}" in _catalogue(language)


def test_every_kind_that_can_be_named_is_registered() -> None:
    assert set(KINDS) == set(KindName)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_field_is_explained_in_the_template(kind: Kind, language: str) -> None:
    rules = [f"template_rule.{kind.name}.{field.name}" for field in kind.fields if field.in_template]

    assert [rule for rule in rules if MESSAGES.text(rule, language, {}) == rule] == []


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("公司名称", "name"),
        ("客户名称*", "name"),
        ("Customer Name", "name"),
        ("手机号码（必填）", "contact.mobile"),
        ("联系人手机", "contact.mobile"),
        ("首要联系人QQ", "contact.qq"),
        ("ＱＱ号", "contact.qq"),
        ("E-mail", "contact.email"),
        ("联系人备注", "contact.remark"),
        ("客户备注", "remark"),
        ("公司规模", "employee_count"),
        ("邮政编码", "postcode"),
        ("跟进人", "owner"),
        ("contact.mobile", "contact.mobile"),
        ("客户标签", "tags"),
        ("公司网址", "profile.website"),
        ("客户别名", "profile.aliases"),
        ("公司简称", "profile.aliases"),
        ("统一社会信用代码", "profile.credit_code"),
        ("税号", "profile.credit_code"),
        ("年收入（元）", "profile.annual_revenue"),
        ("年收入", "annual_turnover"),
        ("[账单地址]邮编", "profile.billing_postcode"),
        ("跟进阶段", "stage"),
        ("已删除", "deleted"),
        ("序号", None),
        ("", None),
    ],
)
def test_usual_headers_are_recognised(header: str, field: str | None) -> None:
    assert guess_mapping([header], CUSTOMERS) == [field]


def test_a_field_goes_to_the_column_that_bears_its_name() -> None:
    assert guess_mapping(["移动电话", "手机", "手机号码"], CUSTOMERS) == [None, "contact.mobile", None]


@pytest.mark.parametrize(
    ("field", "left", "right"),
    [
        ("name", "Ａ 公司", "a公司"),
        ("contact.mobile", "+86 138-0013-8000", "13800138000"),
        ("contact.mobile", "１３８００１３８０００", "13800138000"),
    ],
)
def test_values_that_mean_the_same_are_repeats(field: str, left: str, right: str) -> None:
    is_mobile = field == "contact.mobile"

    assert match_key(left, is_mobile=is_mobile) == match_key(right, is_mobile=is_mobile)


@pytest.mark.parametrize("text", ["=1+1", "+8613800138000", "-5", "@x"])
def test_what_a_spreadsheet_would_run_is_escaped_and_comes_back(text: str) -> None:
    assert escaped(text) == f"'{text}"
    assert clean(escaped(text)) == text


def test_cells_lose_what_no_database_or_workbook_can_hold() -> None:
    assert clean(" a\x00b\ud800c\ufffe\n ") == "abc"
