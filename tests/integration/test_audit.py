"""Who did what, read through the gateway from every service (Q-07)."""

import pytest

from highsea_local.demo.gateway import Refused
from tests.support.whole import Whole

pytestmark = pytest.mark.system
SERVICES = ("identity", "customer", "pool", "import", "notify")


def test_an_administrator_reads_in_every_services_audit_who_did_what(whole: Whole) -> None:
    seller, admin = whole.person("sales"), whole.person("administrator")
    made = seller.post("/customers", {"name": "审计可查"})
    pool = admin.post("/pools", {"name": f"审计池{made['id'][-8:]}", "kind": "public", "open_to_all": True})

    for service in SERVICES:
        answer = admin.get(f"/{service}/audit", page_size=200)
        assert set(answer) == {"items", "page_size", "next_cursor"}
        with pytest.raises(Refused) as refused:
            seller.get(f"/{service}/audit")
        assert (refused.value.status, refused.value.code) == (403, "forbidden")

    [created] = admin.get("/customer/audit", subject_type="customer", subject_id=made["id"])["items"]
    assert (created["action"], created["actor"]["name"]) == ("customer.created", seller.name)
    [made_pool] = admin.get("/pool/audit", action="pool.created", subject_type="pool", subject_id=pool["id"])["items"]
    assert made_pool["actor"]["name"] == admin.name
    logins = admin.get("/identity/audit", action="member.logged_in", actor_id=seller.id)["items"]
    assert logins
