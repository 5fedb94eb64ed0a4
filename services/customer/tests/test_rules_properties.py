"""What holds for every text and every value, however odd: the rules of customers, contacts and custom fields."""

import json
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crm_customer.contacts import rules as contacts
from crm_customer.contacts.rules import Broken
from crm_customer.customers.rules import (
    FIELDS,
    Problem,
    Reference,
    checked,
    is_custom,
    refuse_inactive,
    refuse_postcodes,
    refuse_remark_alone,
    require_filled,
    settle,
    split,
)
from crm_customer.dictionaries.rules import (
    DICTIONARIES,
    KEY_PATTERN,
    Option,
    Options,
    control,
    key_for,
    regions,
    repeated_label,
)
from crm_customer.fields.rules import LARGEST_NUMBER, LONGEST_TEXT, Choice, Field, Kind
from crm_customer.imports.reading import Cells, read_rows
from crm_customer.profiles.rules import NUMBERS
from crm_customer.search.rules import (
    all_normalised,
    are_initials,
    bigrams,
    grams_of,
    initial_grams,
    initials,
    initials_pattern,
    normalised,
    number_in,
)

MOBILE = re.compile(r"^1[3-9]\d{9}$")
CHOICES = (Choice("large", "大", "Large"), Choice("small", "小、精", "Small"), Choice("old", "旧", "Old", active=False))
CUSTOM = {
    kind.value: Field(kind.value, kind, choices=CHOICES if kind in (Kind.SINGLE_CHOICE, Kind.MULTIPLE_CHOICE) else ())
    for kind in Kind
}
OPTIONS = [
    Option("industry", "education", "教育/培训", "Education/Training"),
    Option("industry", "closed", "停", "Closed", active=False),
    Option("annual_turnover", "low", "0-10万", "0-100k", 0),
    Option("annual_turnover", "high", "10万以上", "over 100k", 100_000),
    Option("kind", "company", "企业", "Company"),
    Option("kind", "individual", "个人", "Individual"),
]
REFERENCE = Reference(Options.of(OPTIONS), regions(), MOBILE, CUSTOM)

# Texts that people mean, and others near them: the interesting ones are rare among all texts.
_MEANT = """
    春松 13800138000 +86-138-0013-8000 a@b.cn 210000 三星 2.0 江苏省 320100 南京 1,000.5 2024-02-29 2024年2月9日
    a@b.cn；c@d.cn www.b.cn/?a https://b.cn 90.00000001 -180 0190a7b2-0000-7000-8000-000000000001
    大、small 小、精 old education 停 ０１２ -1e15 个人 １２３４５６
"""
MEANT = st.sampled_from(_MEANT.split())
TEXTS = st.one_of(st.text(), MEANT, MEANT.map(lambda text: f"\u3000{text}\t"), st.from_regex(r"[0-9.,eE+-]{1,20}"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
GIVEN = st.fixed_dictionaries({}, optional={name: st.none() | TEXTS for name in FIELDS}) | st.fixed_dictionaries(
    {}, optional={name: st.none() | TEXTS for name in FIELDS} | {f"custom.{kind}": JSON for kind in CUSTOM}
)
# Always the same examples.
always = settings(max_examples=150, derandomize=True, database=None)
LIMITS = {
    "name": 50,
    "address_detail": 100,
    "remark": 500,
    "wechat_nickname": 50,
    "contact.email": 50,
    "contact.qq": 20,
    "profile.website": 255,
    "profile.fax": 20,
    "profile.non_primary_emails": 20,
}


@pytest.mark.parametrize(
    ("province", "city", "code"),
    [
        ("江苏", "南京", "320100"),
        ("江苏省", "南京市", "320100"),
        ("　江苏 ", "南 京", "320100"),
        ("内蒙古", "锡林郭勒", "152500"),
        ("广西壮族自治区", "南宁", "450100"),
        ("湖北", "恩施", "422800"),
        ("新疆", "克孜勒苏", "653000"),
        ("云南", "大理白族自治州", "532900"),
        ("重庆市", "忠县", "500233"),
        ("香港", "", None),
    ],
)
def test_provinces_and_cities_are_known_with_and_without_their_endings(province: str, city: str, code: str) -> None:
    values, problems = checked({"province": province, "city": city}, REFERENCE)

    assert (values["city"], problems) == (code, [])


def test_no_city_loses_its_name_to_another_without_its_ending() -> None:
    for province in regions().provinces:
        for city in province["cities"]:
            assert regions().city(province["code"], city["name"]) == city["code"]


@pytest.mark.parametrize(
    "mobile", ["+86 138 0013 8000", "0086-138-0013-8000", "8613800138000", "１３８００１３８０００", "+８６13800138000"]
)
def test_a_mobile_is_read_however_people_write_it(mobile: str) -> None:
    assert checked({"contact.mobile": mobile, "name": "𠮷野家🍜"}, REFERENCE) == (
        {"contact.mobile": "13800138000", "name": "𠮷野家🍜"},
        [],
    )


@always
@given(GIVEN)
def test_whatever_is_given_becomes_a_clean_value_or_one_problem(given_: dict[str, Any]) -> None:
    values, problems = checked(given_, REFERENCE)

    broken = [problem.field for problem in problems]
    assert len(broken) == len(set(broken))
    # Without its province nobody can say whether a city is right.
    assert {*values, *broken, *({"city"} if "province" in broken else ())} >= given_.keys()
    assert values.keys().isdisjoint(broken)
    for problem in problems:
        assert problem.error().pointer == "/" + problem.field.replace(".", "/")
    for name, value in values.items():
        assert value != ""
        assert "\0" not in str(value)
        assert name not in LIMITS or value is None or len(value) <= LIMITS[name]
        assert name not in DICTIONARIES or value in (None, *(one.key for one in OPTIONS if one.dictionary == name))


@always
@given(GIVEN)
def test_what_was_accepted_is_accepted_again_and_stays_the_same(given_: dict[str, Any]) -> None:
    values, problems = checked(given_, REFERENCE)
    # What was wrong about one of two that follow each other keeps the other alone.
    assume(
        {problem.field for problem in problems}.isdisjoint(
            {*NUMBERS, *(f"profile.{name}" for name in NUMBERS.values())}
        )
    )
    again = {
        name: value if value is None or is_custom(name) else ";".join(value) if isinstance(value, list) else str(value)
        for name, value in json.loads(json.dumps(values)).items()
    }

    assert checked(again, REFERENCE) == (values, [])


@always
@given(GIVEN, GIVEN)
def test_a_change_leaves_a_customer_that_could_be_saved_again(first: dict[str, Any], second: dict[str, Any]) -> None:
    values, _ = checked(first, REFERENCE)
    before = values | settle(values, {}, REFERENCE)
    changes, _ = checked(second, REFERENCE, before.get("province"))
    after = before | settle(changes, before, REFERENCE)

    assert after["kind"] in ("company", "individual")
    assert after.get("city") is None or after["city"] == regions().city(after["province"], after["city"])
    assert split(after).flat() == after
    # What is there already is not chosen anew.
    problems: list[Any] = []
    refuse_inactive(after, after, REFERENCE, problems)
    assert problems == []


@always
@given(st.sampled_from(list(Kind)), JSON)
def test_a_custom_value_is_json_of_its_kind_within_its_limits(kind: Kind, value: Any) -> None:
    field = CUSTOM[kind]
    try:
        clean = field.clean(value)
    except Broken:
        return

    assert field.clean(clean) == json.loads(json.dumps(clean, allow_nan=False)) == clean
    match kind:
        case _ if clean is None:
            assert not value or isinstance(value, str)
        case Kind.TEXT:
            assert 0 < len(clean) <= LONGEST_TEXT
        case Kind.NUMBER:
            assert abs(clean) <= LARGEST_NUMBER
        case Kind.DATE:
            assert date.fromisoformat(clean).isoformat() == clean
        case Kind.SINGLE_CHOICE:
            assert clean in {choice.key for choice in CHOICES}
        case Kind.MULTIPLE_CHOICE:
            assert clean == sorted(set(clean))
            assert set(clean) <= {choice.key for choice in CHOICES}


@always
@given(st.decimals(min_value=-(10**15), max_value=10**15, places=5, allow_nan=False, allow_infinity=False))
def test_a_number_is_kept_exactly_or_not_at_all(number: Any) -> None:
    try:
        clean = CUSTOM["number"].clean(str(number))
    except Broken:
        assert len(str(abs(number.normalize())).replace(".", "").strip("0")) > 15
        return

    assert type(number)(str(clean)) == number


@always
@given(st.sampled_from(["email", "qq", "mobile"]), TEXTS)
def test_a_contacts_number_or_address_is_accepted_in_one_form_alone(name: str, text: str) -> None:
    rules: dict[str, Any] = {
        "email": contacts.email,
        "qq": contacts.qq,
        "mobile": lambda value: contacts.mobile(value, MOBILE),
    }
    try:
        clean = rules[name](text)
    except Broken:
        return

    assert rules[name](clean) == clean
    assert name == "email" or (clean.isascii() and clean.isdigit())


@always
@given(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.from_regex(r"[a-z0-9]{2,20}@[a-z0-9]{2,12}\.(com|cn)", fullmatch=True),
    st.from_regex(r"[0-9]{5,20}", fullmatch=True),
)
def test_a_masked_contact_cannot_be_guessed(mobile: str, email: str, number: str) -> None:
    assert contacts.masked("mobile", mobile) == f"{mobile[:3]}****{mobile[-4:]}"
    assert all(part not in str(contacts.masked("email", email)) for part in email.split("@"))
    for name in ("qq", "phone"):
        assert contacts.masked(name, number) == "****"


@always
@given(st.lists(st.text(max_size=60), max_size=8))
def test_keys_made_of_labels_are_keys_and_differ(labels: list[str]) -> None:
    taken: list[str] = []
    for label in labels:
        taken.append(key_for(label, taken, "option"))

    assert len(set(taken)) == len(labels)
    assert all(re.fullmatch(KEY_PATTERN, key) for key in taken)


_NAMES = st.lists(st.sampled_from([*FIELDS, *(f"custom.{kind}" for kind in CUSTOM)]), unique=True)
_NEAR = ["province", "city", "annual_turnover", "profile.annual_revenue", "industry", "contact.remark", "contact.name"]
_ROWS = (
    _NAMES | st.lists(st.sampled_from(["name", *_NEAR]), unique=True) | st.just(["industry", "custom.single_choice"])
).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, TEXTS | MEANT | st.just("")))).map(
        lambda rows: (names, rows)
    )
)


@always
@given(_ROWS)
def test_rows_of_a_file_are_read_by_column_as_the_form_reads_each(
    written: tuple[list[str], list[dict[str, str]]],
) -> None:
    names, rows = written
    columns = {name: [row[name] for row in rows] for name in names}

    read = read_rows(Cells(range(len(rows)), columns), ["name", "contact.mobile"], REFERENCE)

    assert [(row.values, row.problems) for row in read] == [checked(row, REFERENCE) for row in rows]
    assert [row.unborn for row in read if not row.problems] == [_unborn(row.values) for row in read if not row.problems]
    for row in read:
        name, mobile = normalised(row.values.get("name") or ""), row.values.get("contact.mobile")
        assert [*row.keys] == [key for key in [("name", name), ("contact.mobile", mobile)] if key[1]]


def _unborn(values: dict[str, Any]) -> list[Problem]:
    """What a form that creates finds beside what is wrong with each field."""
    problems: list[Problem] = []
    require_filled(values, REFERENCE, problems, creating=True)
    refuse_inactive(values, {}, REFERENCE, problems)
    parts = split(values)
    refuse_remark_alone(parts.contact, problems)
    refuse_postcodes(parts.profile, parts.profile, problems)
    return problems


@always
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_texts_are_normalised_together_as_each_is_alone(texts: list[str]) -> None:
    assert all_normalised(texts) == [*map(normalised, texts)]


@always
@given(st.text(min_size=1).filter(normalised))
def test_a_label_that_could_be_taken_for_another_is_a_repetition(label: str) -> None:
    assert repeated_label([label], [["a-b-c", f" {label.upper()} ".lower()]]) in (label, None)
    assert repeated_label([label], [[f"\u3000{label} "]]) == label


@pytest.mark.parametrize(("offered", "expected"), [(0, "radio"), (6, "radio"), (7, "select")])
def test_few_options_are_radio_buttons(offered: int, expected: str) -> None:
    assert control("industry", offered) == expected


@always
@given(st.text(min_size=1, max_size=50), st.text(max_size=50), st.data())
def test_every_part_of_a_name_and_nickname_is_among_the_grams_of_the_customer(
    name: str, nickname: str, data: Any
) -> None:
    texts = normalised(name), normalised(nickname)
    grams = set(grams_of(texts[0], "", texts[1], initials(texts[0])).split("\n"))

    for text in texts:
        start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        assert bigrams(text[start:end]) <= grams
    assert set(texts[1][:1]) <= grams


@always
@given(st.text(st.sampled_from("重庆长行银单华夏春松aZ09★（ "), min_size=2, max_size=50), st.data())
def test_initials_are_found_with_any_reading_of_each_character(name: str, data: Any) -> None:
    letters = initials(normalised(name))
    groups = letters.split()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(groups))] * 2)))
    wanted = "".join(data.draw(st.sampled_from(group)) for group in groups[start:end])

    if are_initials(wanted):
        assert initial_grams(wanted) <= set(grams_of(normalised(name), "", "", letters).split("\n"))
        assert re.search(initials_pattern(wanted), letters)


@always
@given(
    st.text(st.sampled_from("重庆长行aZ09@^ "), max_size=12),
    st.text(st.sampled_from("重庆az@^"), max_size=12),
    st.text(st.sampled_from("重庆az09@^"), min_size=2, max_size=2),
)
def test_of_a_pair_the_grams_say_exactly_what_comparing_would(name: str, nickname: str, wanted: str) -> None:
    """An address with the pair in it is none of these."""
    texts = normalised(name), normalised(nickname)
    letters = initials(texts[0])
    grams = set(grams_of(texts[0], wanted, texts[1], letters).split("\n"))

    assert (wanted in grams) is any(wanted in text for text in texts)
    if are_initials(wanted):
        spelt = re.search(initials_pattern(wanted), letters) is not None
        assert (not initial_grams(wanted).isdisjoint(grams)) is spelt


@always
@given(st.text(max_size=50))
def test_a_number_is_looked_for_by_plain_digits_or_not_at_all(wanted: str) -> None:
    found = number_in(wanted)

    assert found == "" or (found.isascii() and found.isdigit() and len(found) >= 3)
