"""No route of notify breaks, whatever is sent to it."""

from services.notify.tests.customers import CustomerStandIn, recipient, send
from services.notify.tests.test_mailings import MAIL, collected
from tests.support.fuzzing import broken_routes
from tests.support.services import OpenService


def test_no_route_breaks(mailer: OpenService, customer: CustomerStandIn) -> None:
    admin = mailer.organisation.admin
    customer.found = [recipient("a@x.test")]
    mailing = send(mailer, admin, "POST", "/mailings", MAIL).json
    collected(mailer)
    template = {"channel": "sms", "name": "a", "body": "b"}
    known = {
        "mailing_id": mailing["id"],
        "template_id": send(mailer, admin, "POST", "/message-templates", template).json["id"],
    }

    assert broken_routes(mailer, mailer.headers(admin), known) == {}
