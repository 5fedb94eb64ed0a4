"""REST: put cells of an import right."""

from uuid import UUID

from sqlalchemy.orm import Session

from chassis.clock import now
from chassis.http.api import Api
from chassis.http.call import Call
from crm_import.corrections import commands
from crm_import.corrections.views import CorrectedView, CorrectionBody, FormerView
from directory.permissions import Permission

api = Api("imports")
_MOST_FORMER = 20


@api.route(
    "POST",
    "/imports/<uuid:import_id>:correct",
    access=Permission.IMPORT_RUN,
    summary="Put cells of an import right",
    body=CorrectionBody,
    reply=CorrectedView,
    idempotent=True,
)
def correct_import(call: Call[CorrectionBody, None], import_id: UUID) -> CorrectedView:
    """Of rows that failed or were skipped, to be tried again; or of rehearsed ones, before the start."""
    body = call.body

    def work(session: Session) -> CorrectedView:
        done = commands.correct(
            session, call.actor, import_id, column=body.column, to=body.to, rows=body.rows, held=body.from_, now=now()
        )
        former = [FormerView(value=value, rows=rows) for value, rows in done.former.most_common(_MOST_FORMER)]
        return CorrectedView(column=body.column, field=done.field, rows=done.former.total(), former=former)

    return call.command(work)
