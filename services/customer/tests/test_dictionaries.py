"""Options that administrators add, change, hide and delete (A-82, X-21)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from directory.permissions import Permission

OPTION = {"zh": "航空航天", "en": "Aerospace"}


def _add(customers: Any, dictionary: str = "industry", **fields: Any) -> Any:
    path = f"/dictionaries/{dictionary}/options"
    return customers.request("POST", path, customers.organisation.admin, json=OPTION | fields)


def _change(customers: Any, option: Any, dictionary: str = "industry", **changes: Any) -> Any:
    path, etag = f"/dictionaries/{dictionary}/options/{option['key']}", f'"{option["version"]}"'
    return customers.request("PATCH", path, customers.organisation.admin, json=changes, headers={"If_Match": etag})


def _remove(customers: Any, option: Any, dictionary: str = "industry") -> Any:
    path, etag = f"/dictionaries/{dictionary}/options/{option['key']}", f'"{option["version"]}"'
    return customers.request("DELETE", path, customers.organisation.admin, headers={"If_Match": etag})


def _listed(customers: Any, dictionary: str = "industry") -> Any:
    reply = customers.request("GET", "/dictionaries", customers.organisation.sales).json
    return reply["dictionaries"][dictionary], reply["controls"][dictionary]


def _built_in(customers: Any, key: str, dictionary: str = "industry") -> Any:
    return next(option for option in _listed(customers, dictionary)[0] if option["key"] == key)


def test_an_option_added_is_offered_and_can_be_chosen_by_its_words(customers: Any) -> None:
    added = _add(customers)

    assert (added.status_code, added.headers["ETag"]) == (201, '"1"')
    assert added.json == OPTION | {
        "key": "aerospace", "at_least": None, "position": 4, "active": True, "built_in": False, "version": 1
    }  # fmt: skip
    assert _listed(customers)[0][-1] == added.json
    assert customers.create(customers.organisation.sales, industry="航空 航天")["industry"] == "aerospace"


def test_radio_buttons_become_a_drop_down_with_the_seventh_option(customers: Any) -> None:
    names = [f"行业{number}" for number in range(3)]
    added = [_add(customers, zh=name, en=name).json for name in names]

    assert [option["key"] for option in added] == ["option", "option_2", "option_3"]
    assert _listed(customers)[1] == "select"
    assert _change(customers, added[0], active=False).status_code == 200
    assert _listed(customers)[1] == "radio"
    assert _listed(customers, "annual_turnover")[1] == "select"


def test_an_inactive_option_stays_where_it_was_chosen_and_is_chosen_no_more(customers: Any) -> None:
    sales = customers.organisation.sales
    option = _add(customers).json
    customer = customers.create(sales, industry="aerospace", source="other")
    hidden = _change(customers, option, active=False)

    refused = customers.request(
        "POST", "/customers", sales, json={"name": "新", "industry": "aerospace"}, headers={"Accept_Language": "zh"}
    )
    kept = customers.patch(sales, customer, industry="Aerospace", remark="改")
    moved = customers.patch(sales, kept.json, industry="education").json
    back = customers.patch(sales, moved, industry="aerospace")

    assert (hidden.json["active"], hidden.json["version"]) == (False, 2)
    assert [(error["pointer"], error["code"]) for error in refused.json["errors"]] == [("/industry", "option_inactive")]
    assert "已停用：aerospace" in refused.json["errors"][0]["message"]
    assert (kept.status_code, kept.json["industry"], kept.json["remark"]) == (200, "aerospace", "改")
    assert back.json["errors"][0]["code"] == "option_inactive"
    assert customers.listed(sales, industry="aerospace") == []


def test_a_built_in_option_can_be_renamed_and_hidden_but_not_deleted(customers: Any) -> None:
    option = _built_in(customers, "ecommerce")

    renamed = _change(customers, option, zh="网上零售").json
    removed = _remove(customers, renamed)

    assert (renamed["key"], renamed["zh"], renamed["en"]) == ("ecommerce", "网上零售", "E-commerce")
    assert (removed.status_code, removed.json["code"]) == (409, "option_built_in")
    assert customers.create(customers.organisation.sales, industry="网上零售")["industry"] == "ecommerce"


@pytest.mark.parametrize("dictionary", ["industry", "level", "contact_group", "relation_type"])
def test_an_option_that_nobody_has_chosen_can_be_deleted(customers: Any, dictionary: str) -> None:
    option = _add(customers, dictionary).json

    assert _remove(customers, option, dictionary).status_code == 204
    assert option not in _listed(customers, dictionary)[0]
    assert _remove(customers, option, dictionary).status_code == 404


def test_an_option_in_use_says_how_many_records_hold_it(customers: Any) -> None:
    sales = customers.organisation.sales
    option = _add(customers).json
    customer = customers.create(sales, industry="aerospace")
    customers.create(sales, industry="aerospace")
    customers.request("DELETE", f"/customers/{customer['id']}", sales, headers={"If_Match": '"1"'})

    refused = _remove(customers, option)

    assert (refused.status_code, refused.json["code"]) == (409, "option_in_use")
    assert "2" in refused.json["detail"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"zh": "教育 / 培训"}, 409, "option_label_taken"),
        ({"en": "ecommerce"}, 409, "option_label_taken"),
        ({"key": "education"}, 409, "option_key_taken"),
        ({"key": "Bad Key"}, 422, "validation_failed"),
        ({"zh": "  "}, 422, "validation_failed"),
        ({"en": "x" * 51}, 422, "validation_failed"),
        ({"at_least": 5}, 422, "validation_failed"),
        ({"colour": "red"}, 422, "validation_failed"),
    ],
)
def test_an_option_that_could_be_mistaken_or_is_malformed_is_refused(
    customers: Any, change: Any, status: int, code: str
) -> None:
    before = _listed(customers)

    reply = _add(customers, **change)

    assert (reply.status_code, reply.json["code"]) == (status, code)
    assert _listed(customers) == before


def test_options_of_a_closed_or_unknown_dictionary_cannot_be_added(customers: Any) -> None:
    individual = _built_in(customers, "individual", "kind")

    assert _add(customers, "kind").json["code"] == "dictionary_closed"
    assert _change(customers, individual, "kind", active=False).json["code"] == "dictionary_closed"
    assert _change(customers, individual, "kind", zh="个人客户").json["zh"] == "个人客户"
    assert _add(customers, "colour").status_code == 404
    assert _change(customers, {"key": "x", "version": 1}).status_code == 404


def test_a_new_range_is_picked_by_numbers(customers: Any) -> None:
    option = _add(customers, "annual_turnover", zh="100万以上", en="over 1m", at_least=1_000_000).json

    assert (
        customers.create(customers.organisation.sales, annual_turnover="2,000,000")["annual_turnover"] == option["key"]
    )
    assert customers.create(customers.organisation.sales, annual_turnover="999999")["annual_turnover"] == "over_500k"


def test_a_change_on_top_of_an_old_version_gets_both_values(customers: Any) -> None:
    option = _add(customers).json
    _change(customers, option, zh="航天")

    stale = _change(customers, option, zh="宇航")

    assert (stale.status_code, stale.json["version"]) == (412, 2)
    assert stale.json["conflicts"] == [{"field": "zh", "current": "航天", "yours": "宇航"}]
    assert _remove(customers, option).status_code == 412


def test_two_who_add_the_same_option_at_once_get_one(customers: Any) -> None:
    with ThreadPoolExecutor(2) as both:
        replies = list(both.map(lambda _: _add(customers), range(2)))

    assert sorted(reply.status_code for reply in replies) == [201, 409]
    assert sum(option["zh"] == OPTION["zh"] for option in _listed(customers)[0]) == 1


def test_only_those_who_configure_change_options_and_the_audit_tells_it(customers: Any) -> None:
    organisation = customers.organisation
    refused = customers.request("POST", "/dictionaries/industry/options", organisation.operations, json=OPTION)
    option = _add(customers).json
    _remove(customers, _change(customers, option, zh="航天").json)

    entries = customers.request("GET", "/customer/audit", organisation.admin).json["items"]

    assert (refused.status_code, refused.json["permission"]) == (403, Permission.CUSTOMER_CONFIGURE)
    assert [entry["action"] for entry in entries] == [
        f"dictionary_option.{act}" for act in ("removed", "changed", "added")
    ]
    assert (entries[1]["before"]["label_zh"], entries[1]["after"]["label_zh"]) == ("航空航天", "航天")
    assert len({entry["subject_id"] for entry in entries}) == 1
