"""Whatever stands in a row of contacts or follow-ups, it gets its one answer, and its rehearsal said the same before."""

import random
from typing import Any

import pytest

from crm.common.v1 import import_rows_pb2 as rows_pb
from crm_customer.activity_imports.rules import KNOWN as ACTIVITY_FIELDS
from crm_customer.contact_imports.rules import KNOWN as CONTACT_FIELDS
from tests.support.bulk import Importer

# fmt: off
UGLY = (
    "", " ", "\0", "华\0夏", "=1+1", "'", '"', "\\", "%s", "{}", "NULL", "无", "-", "0", "-1", "1e400", "NaN", "True",
    "长" * 3000, "\u200b", "\ufeff", "\u202e夏华", "👨‍👩‍👧", "𠮷", "ﬁ", "İ", "a\nb\r\nc", "<script>", "'; DROP TABLE contacts; --",
    "华夏", "华 夏", "同名", "138 0013 8000", "+8613800138000", "１３８００１３８０００", "13800138000.0", "0086-13800138000",
    "张三", "李四", "sales", "sales@example.test", "a@b.cn", "女士", "Ms", "决策人", "电话", "phone", "210000",
    "1990-02-28", "1990-02-30", "0001-01-01", "9999-12-31", "10000-01-01", "2026-11-26 10:00:00", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "1900-01-01 00:00:00", "2026-W01-1", "24:00", "01a21834d1fc7457b52c8b5cd10d60f3",
    "urn:uuid:01a21834-d1fc-7457-b52c-8b5cd10d60f3", "{01a21834-d1fc-7457-b52c-8b5cd10d60f3}", "01a21834-d1fc",
)
# fmt: on
_OUTCOMES = {
    rows_pb.IMPORT_OUTCOME_CREATED,
    rows_pb.IMPORT_OUTCOME_UPDATED,
    rows_pb.IMPORT_OUTCOME_SKIPPED,
    rows_pb.IMPORT_OUTCOME_FAILED,
}


def _rows(fields: frozenset[str], plain: dict[str, str], seed: int) -> list[dict[str, str]]:
    """Each ugly text in each field of a row that is well otherwise, and rows of nothing but such."""
    chosen = random.Random(seed)
    names = sorted(fields)
    single = [{**plain, name: text} for name in names for text in chosen.sample(UGLY, 40)]
    mixed = [{name: chosen.choice(UGLY) for name in chosen.sample(names, 5)} for _ in range(200)]
    rows = [*single, *mixed]
    chosen.shuffle(rows)
    return rows[:1000]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("update", [False, True])
def test_contacts(customers: Any, importer: Importer, seed: int, update: bool) -> None:
    _populate(customers)
    rows = _rows(CONTACT_FIELDS, {"name": "王芳", "customer": "华夏"}, seed)
    options = {"update": update, "clear_empty": seed == 1, "match_fields": ["id", "mobile", "email", "name"]}
    request = importer.contacts_request(*rows, **options)

    _check(importer, request)
    assert len(customers.contacts(customers.organisation.sales)) > 2


@pytest.mark.parametrize("seed", range(3))
def test_follow_ups(customers: Any, importer: Importer, seed: int) -> None:
    _populate(customers)
    rows = _rows(ACTIVITY_FIELDS, {"content": "谈过", "customer": "华夏"}, seed)

    _check(importer, importer.follow_ups_request(*rows))
    listed = customers.request("GET", "/activities?page_size=200", customers.organisation.sales)
    assert (listed.status_code, len(listed.json["items"]) > 2) == (200, True)


def _populate(customers: Any) -> None:
    sales = customers.organisation.sales
    company = customers.create(sales, "华夏", contact={"name": "李雷", "mobile": "13800138000"})
    customers.new_contact(sales, name="王芳", email="a@b.cn", customer_id=company["id"])
    for _ in range(2):
        customers.create(sales, "同名")


def _check(importer: Importer, request: Any) -> None:
    request.rehearsal = True
    rehearsed = importer.send(request).results
    request.rehearsal = False
    written = importer.send(request).results

    assert [one.row_number for one in written] == [row.row_number for row in request.rows]
    assert {one.outcome for one in written} <= _OUTCOMES
    told = [[(one.row_number, one.outcome, list(one.problems)) for one in each] for each in (rehearsed, written)]
    assert told[0] == told[1]
    assert importer.send(request).results == written
