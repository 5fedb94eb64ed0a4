"""Sending again what nobody knows the outcome of, or what was given up."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from crm_notify.deliveries.commands import resend
from crm_notify.resending.queries import candidates
from crm_notify.resending.rules import NOT_RESENDABLE, Asker, refusal


def resend_for(session: Session, ids: Sequence[UUID], asker: Asker) -> Mapping[UUID, str | None]:
    """Queue these deliveries again, each under its Message-ID. Why not, for each of them; None: it is queued."""
    found = candidates(session, ids)
    answers = {id_: refusal(found.get(id_), asker) for id_ in ids}
    queued = set(resend(session, [id_ for id_, code in answers.items() if code is None], asker.id))
    # Whoever was faster has it in the queue already.
    return {id_: NOT_RESENDABLE if code is None and id_ not in queued else code for id_, code in answers.items()}
