"""REST of sending deliveries again (J-07)."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.errors import Conflict, Forbidden, NotFound
from chassis.http.api import Access, Api
from chassis.http.call import Call
from crm_notify.deliveries.http import views_of
from crm_notify.deliveries.model import Delivery
from crm_notify.deliveries.views import DeliveryView
from crm_notify.resending.commands import resend_for
from crm_notify.resending.rules import FORBIDDEN, NOT_FOUND, Asker
from crm_notify.resending.views import ResendBody, Resends, Resent
from directory.permissions import Permission

api = Api("deliveries")


@api.route(
    "POST",
    "/deliveries/<uuid:delivery_id>:resend",
    access=Access.MEMBER,
    summary="Send one delivery again",
    reply=DeliveryView,
    idempotent=True,
)
def resend_delivery(call: Call[None, None], delivery_id: UUID) -> DeliveryView:
    """What is uncertain, bounced, failed or dead, under the same Message-ID: by who has the right notify.configure, or sent
    the mailing that it is of. What bounced needs its suppression lifted first.
    """

    def resend(session: Session) -> DeliveryView:
        code = resend_for(session, [delivery_id], _asker(call))[delivery_id]
        if code == NOT_FOUND:
            raise NotFound(NOT_FOUND)
        if code == FORBIDDEN:
            raise Forbidden(FORBIDDEN, permission=Permission.NOTIFY_CONFIGURE)
        if code is not None:
            raise Conflict(code)
        row = session.get_one(Delivery, delivery_id, populate_existing=True)
        return views_of(session, [row], call.runtime.messages, call.language)[0]

    return call.command(resend)


@api.route(
    "POST",
    "/deliveries:resend",
    access=Access.MEMBER,
    summary="Send several deliveries again",
    body=ResendBody,
    reply=Resends,
    idempotent=True,
)
def resend_deliveries(call: Call[ResendBody, None]) -> Resends:
    """Each as one alone; refused ones do not hold up the others."""
    ids = list(dict.fromkeys(call.body.ids))

    def resend(session: Session) -> Resends:
        answers = resend_for(session, ids, _asker(call))
        return Resends(results=[_answer(call, id_, answers[id_]) for id_ in ids])

    return call.command(resend)


def _asker(call: Call[Any, None]) -> Asker:
    actor = call.actor
    return Asker(actor.id, actor.may(Permission.NOTIFY_CONFIGURE), actor.may(Permission.AUDIT_READ))


def _answer(call: Call[Any, None], id_: UUID, code: str | None) -> Resent:
    if code is None:
        return Resent(id=id_, outcome="queued", code=None, message=None)
    words = call.runtime.messages.text(code, call.language, {"permission": str(Permission.NOTIFY_CONFIGURE)})
    return Resent(id=id_, outcome="refused", code=code, message=words)
