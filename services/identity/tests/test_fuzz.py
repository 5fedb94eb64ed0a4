"""Whatever is sent, no route breaks."""

from typing import Any

from tests.support.fuzzing import broken_routes


def test_no_request_made_out_of_the_document_breaks_a_route(identity: Any) -> None:
    administrator = identity.service.organisation.admin

    assert broken_routes(identity.service, identity.service.headers(administrator)) == {}
