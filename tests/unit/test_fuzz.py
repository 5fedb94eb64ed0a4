"""Whatever is sent, no route breaks. Services with records worth asking about do the same in their own tests."""

import pytest

from tests.support.fuzzing import broken_routes
from tests.support.repository import service_of
from tests.support.services import Opener


@pytest.mark.parametrize("package", ["crm_import", "crm_notify", "crm_pool"])
def test_no_request_made_out_of_the_document_breaks_a_route(package: str, services: Opener) -> None:
    with services.open(service_of(package)) as opened:
        assert broken_routes(opened, opened.headers(opened.organisation.admin)) == {}
