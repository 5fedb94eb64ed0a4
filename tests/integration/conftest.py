"""What several tests of the running system look at."""

import httpx
import pytest

from chassis.identifiers import new_id
from highsea_local.demo import steps
from highsea_local.demo.companies import rows
from highsea_local.demo.gateway import Refused, until
from highsea_local.demo.workbook import workbook_bytes
from tests.support.scrape import Scraped, scrape
from tests.support.whole import Whole

# Measured from time to time, or after a while; all others at once.
LATE = {"crm_consumer_lag", "crm_dlq_waiting", "crm_mail_attempts_total", "projection_drift"}


@pytest.fixture(scope="session")
def scraped(whole: Whole) -> dict[str, Scraped]:
    """A scrape after a bit of everything: a claim, an import, a refusal, a wrong address, a stream, a mail."""
    seller, colleague, operations = whole.person("sales"), whole.person("sales", 1), whole.person("operations")
    ids = whole.customers_in_pool([f"抓取{new_id().hex}"])
    seller.post("/assignments:claim", {"customer_ids": ids})
    whole.person("supervisor").post("/assignments:transfer", {"customer_ids": ids, "member_id": colleague.id})
    with pytest.raises(Refused):
        seller.get("/customers/nowhere/at/all")
    httpx.get(f"{whole.system.gateway_url}/api/v1/notifications/stream")
    steps.import_workbook(operations, "抓取.xlsx", workbook_bytes(rows(20, 7, "抓")), whole.pool()["id"])
    until(lambda: {metric.name for metric in scrape(whole.system).values() if metric.processes} >= LATE)
    return scrape(whole.system)
