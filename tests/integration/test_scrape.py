"""What Prometheus would find: every metric of the document, in the processes that the document names."""

import re

import httpx
import pytest

from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.workbook import workbook_bytes
from highsea_local.topology import SERVICES
from tests.support.metrics import Declared, declared
from tests.support.scrape import Scraped, scrape
from tests.support.whole import Whole

pytestmark = pytest.mark.system


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


def test_chunks_are_answered_where_nobody_waits_for_a_page(whole: Whole) -> None:
    def written(role: str) -> float:
        found = scrape(whole.system)["grpc_server_handling_seconds_count"].values.items()
        wanted = {
            "service": "customer",
            "role": role,
            "grpc_method": "/crm.customer.v1.CustomerService/BulkWriteCustomers",
        }
        return sum(calls for labels, calls in found if wanted.items() <= dict(labels).items())

    before = written("bulk"), written("serve")
    content = workbook_bytes(rows(5, 7, "成批"))
    steps.import_workbook(whole.person("operations"), "成批.xlsx", content, whole.pool()["id"])

    assert written("bulk") > before[0]
    assert written("serve") == before[1]
