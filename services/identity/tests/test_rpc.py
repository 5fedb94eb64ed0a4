"""The whole organisation over gRPC, as other services read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from chassis.auth.tokens import ServiceTokens
from chassis.errors import Invalid, Unauthenticated
from chassis.rpc.client import Peers
from chassis.rpc.errors import peer_errors
from crm.identity.v1.identity_service_pb2 import ExportDirectoryRequest
from crm.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from crm_identity.organisation import rpc


@contextmanager
def calling(identity: Any) -> Iterator[IdentityServiceStub]:
    keys = identity.service.keys
    with identity.service.rpc() as bind:
        peers = Peers(ServiceTokens("pool", keys.private("pool"), keys.public()), {"identity": bind})
        try:
            yield IdentityServiceStub(peers.channel("identity"))
        finally:
            peers.close()


def test_the_export_holds_everything_a_directory_needs_in_pages(identity: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(rpc, "PAGE_SIZE", 3)
    people = identity.people
    identity.call("POST", f"/members/{people.rival.id}:deactivate", people.admin)
    identity.call("POST", "/groups", people.admin, {"name": "甲组", "member_ids": [str(people.sales.id)]})
    ends = {"ends_at": "2099-01-01T00:00:00Z", "starts_at": "2098-01-01T00:00:00Z"}
    identity.call("POST", "/auth/me/absences", people.sales, ends)

    with calling(identity) as stub:
        pages = [stub.ExportDirectory(ExportDirectoryRequest())]
        while pages[-1].next_page_token:
            pages.append(stub.ExportDirectory(ExportDirectoryRequest(page_token=pages[-1].next_page_token)))

    members = {member.id: member for page in pages for member in page.members}
    assert set(members) == {str(member.id) for member in people.members.values()}
    assert [len(page.members) for page in pages] == [3, 3, 1]
    assert not members[str(people.rival.id)].active
    assert {department.name for department in pages[0].departments} == {"公司", "华东销售部", "华南销售部"}
    assert len(pages[0].roles) == 4
    assert pages[0].organisation.zone == "Asia/Shanghai"
    assert "access-1" in pages[0].signing_keys.jwks
    assert [(group.name, list(group.member_ids)) for group in pages[0].groups] == [("甲组", [str(people.sales.id)])]
    assert members[str(people.sales.id)].absent_from.ToJsonString() == "2098-01-01T00:00:00Z"
    assert not pages[1].roles
    assert not pages[1].groups


def test_the_export_is_for_services_alone(identity: Any) -> None:
    with identity.service.rpc() as bind, grpc.insecure_channel(bind) as channel:
        with pytest.raises(Unauthenticated, match="service_token_required"), peer_errors("identity"):
            IdentityServiceStub(channel).ExportDirectory(ExportDirectoryRequest(), timeout=5)


def test_a_malformed_page_token_is_an_invalid_argument(identity: Any) -> None:
    with calling(identity) as stub, pytest.raises(Invalid, match="validation_failed"), peer_errors("identity"):
        stub.ExportDirectory(ExportDirectoryRequest(page_token="next"))
