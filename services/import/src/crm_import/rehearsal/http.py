"""REST: rehearse an import, read what was found out, decide about rows that match a record."""

from dataclasses import asdict
from uuid import UUID

from chassis.clock import now
from chassis.http.api import Access, Api, Page
from chassis.http.call import Call
from crm_import.corrections.queries import corrections_of
from crm_import.jobs.http import detail_of
from crm_import.jobs.queries import readable_job
from crm_import.jobs.views import ImportDetail
from crm_import.rehearsal import commands, queries
from crm_import.rehearsal.queries import Wanted
from crm_import.rehearsal.views import (
    DecisionBody,
    MatchCount,
    OwnerCount,
    PlanQuery,
    PlanView,
    PoolCount,
    ProblemCount,
    SummaryView,
    plan_view,
)
from directory.permissions import Permission

api = Api("imports")


@api.route(
    "POST",
    "/imports/<uuid:import_id>:rehearse",
    access=Permission.IMPORT_RUN,
    summary="Rehearse an import",
    reply=ImportDetail,
    idempotent=True,
    versioned=True,
)
def rehearse_import(call: Call[None, None], import_id: UUID) -> ImportDetail:
    """Finds out for every row what would become of it, and writes nothing."""
    return call.command(lambda session: detail_of(call, commands.rehearse(session, call.actor, import_id, now())))


@api.route(
    "GET",
    "/imports/<uuid:import_id>/rehearsal",
    access=Access.MEMBER,
    summary="List what would become of the rows of an import",
    query=PlanQuery,
    reply=Page[PlanView],
)
def list_rehearsed_rows(call: Call[None, PlanQuery], import_id: UUID) -> Page[PlanView]:
    """In file order, as far as the rehearsal has come."""
    query = call.query
    wanted = Wanted(query.outcome, query.field, query.code, query.undecided, query.owner_id)
    with call.runtime.database.reading() as session:
        job = readable_job(session, call.actor, import_id)
        job.require_rehearsed()
        found, total = queries.list_plans(session, job.id, wanted, query.page, query.page_size)
        corrected = corrections_of(session, job.id, [plan.row_number for plan, _ in found])
        items = [
            plan_view(plan, owner, corrected.get(plan.row_number, {}), job, call.runtime.messages, call.language)
            for plan, owner in found
        ]
    return Page[PlanView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "GET",
    "/imports/<uuid:import_id>/rehearsal/summary",
    access=Access.MEMBER,
    summary="Read a rehearsal in numbers",
    reply=SummaryView,
)
def read_rehearsal(call: Call[None, None], import_id: UUID) -> SummaryView:
    """What is wrong most often, who would get how many customers, and what rows meet records by."""
    with call.runtime.database.reading() as session:
        job = readable_job(session, call.actor, import_id)
        job.require_rehearsed()
        problems = queries.problems_of(session, job.id)
        owners, pools = queries.owners_of(session, job.id), queries.pools_of(session, job.id)
        matches, counts = queries.matches_of(session, job.id), queries.counts_of(session, job.id)
    kind, language = job.traits, call.language
    return SummaryView(
        **asdict(counts),
        problems=[
            ProblemCount(
                code=code, field=field, field_label=kind.label(field, language), rows=rows, examples=examples or []
            )
            for code, field, rows, examples in problems
        ],
        owners=[OwnerCount(owner_id=id_, owner_name=name, customers=count) for id_, name, count in owners],
        pools=[PoolCount(pool_id=id_, pool_name=job.pool_name(id_), customers=count) for id_, count in pools],
        matches=[
            MatchCount(field=field, field_label=kind.label(field, language), rows=rows, undecided=undecided)
            for field, rows, undecided in matches
        ],
    )


@api.route(
    "POST",
    "/imports/<uuid:import_id>:decide",
    access=Permission.IMPORT_RUN,
    summary="Decide about rows that match a record",
    body=DecisionBody,
    reply=ImportDetail,
    idempotent=True,
    versioned=True,
)
def decide_rows(call: Call[DecisionBody, None], import_id: UUID) -> ImportDetail:
    """Update the record, skip the row, or create another record all the same (D-21); until the start."""
    body = call.body
    return call.command(
        lambda session: detail_of(
            call,
            commands.decide(
                session,
                call.actor,
                import_id,
                decision=body.decision,
                rows=body.rows,
                matched_by=body.matched_by,
                now=now(),
            ),
        )
    )
