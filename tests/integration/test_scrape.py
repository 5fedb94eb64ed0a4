"""What Prometheus would find: every metric of the document, in the processes that the document names."""

import re

import httpx
import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import Refused, until
from highsea_local.demo.workbook import workbook_bytes
from highsea_local.topology import SERVICES
from tests.support.metrics import Declared, declared
from tests.support.scrape import Scraped, scrape
from tests.support.whole import Whole

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def scraped(whole: Whole) -> dict[str, Scraped]:
    """A scrape after a bit of everything: a claim, an import, a refusal, a wrong address, a stream, a mail."""
    seller, operations = whole.person("sales"), whole.person("operations")
    ids = whole.customers_in_pool([f"抓取{new_id().hex}"])
    seller.post("/assignments:claim", {"customer_ids": ids})
    colleague = whole.person("sales", 1)
    whole.person("supervisor").post("/assignments:transfer", {"customer_ids": ids, "member_id": colleague.id})
    with pytest.raises(Refused):
        seller.get("/customers/nowhere/at/all")
    httpx.get(f"{whole.system.gateway_url}/api/v1/notifications/stream")
    steps.import_workbook(operations, "抓取.xlsx", workbook_bytes(rows(20, 7, "抓")), whole.pool()["id"])
    until(lambda: "crm_consumer_lag" in _with_series(scrape(whole.system)))
    return scrape(whole.system)


def _with_series(found: dict[str, Scraped]) -> set[str]:
    return {metric.name for metric in found.values() if metric.processes}


def _series(found: dict[str, Scraped], metric: Declared) -> Scraped:
    return found[f"{metric.name}_count" if metric.kind == "histogram" else metric.name]


def test_every_metric_of_the_document_is_found_and_no_other(scraped: dict[str, Scraped]) -> None:
    ours = {name for name in scraped if not name.startswith(("python_", "process_"))}

    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in ours} == {metric.name for metric in declared()}


@pytest.mark.parametrize("metric", declared(), ids=lambda metric: metric.name)
def test_a_metric_has_its_labels_in_the_processes_that_measure_it(
    scraped: dict[str, Scraped], metric: Declared
) -> None:
    found = _series(scraped, metric)
    roles = {role for service in SERVICES for role in service.roles}
    wanted = roles if "every role" in metric.roles else metric.roles
    in_use = {dict(labels)["role"] for labels, value in found.values.items() if value}

    assert found.labels == {*metric.labels, "service", "role"}
    assert in_use <= wanted
    assert found.processes


def test_answers_outside_of_routes_are_counted(whole: Whole) -> None:
    def answered(method: str, status: int) -> float:
        labels = {"method": method, "route": "none", "status": str(status), "service": "customer", "role": "serve"}
        return scrape(whole.system)["http_server_request_duration_seconds_count"].values.get(
            tuple(sorted(labels.items())), 0
        )

    url = f"{whole.system.service_url('customer')}/api/v1/customers"
    before = answered("GET", 404), answered("PUT", 405), answered("OTHER", 405)
    httpx.get(f"{url}/nowhere/at/all")
    httpx.put(url)
    httpx.request("BREW", url)

    assert (answered("GET", 404), answered("PUT", 405), answered("OTHER", 405)) == tuple(one + 1 for one in before)
