"""Writing one chunk of an import of members: the number of statements does not depend on the number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from chassis.identifiers import new_id
from crm.common.v1 import import_rows_pb2 as rows_pb
from crm.identity.v1 import identity_service_pb2 as pb
from crm_identity.imports import queries
from crm_identity.imports.model import BulkWriteResult
from crm_identity.imports.rules import Chunk, Problem, Row, read_row, worded
from crm_identity.organisation.commands import lock_organisation, record_all
from crm_identity.organisation.model import Changes, Member

_MOST_SHOWN = 200
_USUAL: dict[str, Any] = {"phone": None, "role_ids": [], "language": "zh-CN", "service_account": False}


def write_chunk(
    session: Session, chunk: Chunk, given: Sequence[rows_pb.ImportRow], at: datetime
) -> pb.BulkWriteMembersResponse:
    """Create and change members; the answer is kept, and repeated for the same chunk. Nobody gets a password.

    Raises Unauthenticated, Forbidden.
    """
    lock_organisation(session)
    kept = queries.kept_answer(session, chunk.id)
    if kept is not None:
        return kept
    queries.check_importer(session, chunk.actor_id)
    reference = queries.load_reference(session)
    rows = [read_row(row.row_number, _texts(chunk, row), reference) for row in given]
    writing = _Writing(chunk, queries.members_meant(session, rows), *queries.administrators(session))
    response = pb.BulkWriteMembersResponse(results=[writing.settle(row) for row in rows])
    session.add_all(member for member, _ in writing.created)
    record_all(session, "created_by_import", chunk.actor_id, writing.created)
    record_all(session, "changed_by_import", chunk.actor_id, writing.changed)
    session.add(
        BulkWriteResult(chunk_id=chunk.id, response=response.SerializeToString(deterministic=True), written_at=at)
    )
    return response


def rehearse_chunk(session: Session, chunk: Chunk, given: Sequence[rows_pb.ImportRow]) -> pb.BulkWriteMembersResponse:
    """What `write_chunk` would answer now, and what updates would change; nothing is written.

    Raises Unauthenticated, Forbidden.
    """
    queries.check_importer(session, chunk.actor_id)
    reference = queries.load_reference(session)
    rows = [read_row(row.row_number, _texts(chunk, row), reference) for row in given]
    judging = _Writing(chunk, queries.members_meant(session, rows, locked=False), *queries.administrators(session))
    session.expunge_all()  # the members are changed in memory alone
    results = [judging.settle(row) for row in rows]
    before = {str(member.id): changes[0] for member, changes in judging.changed}
    for result in results:
        if result.outcome == rows_pb.IMPORT_OUTCOME_CREATED:
            result.record_id = ""
        told = (worded(name, value, reference) for name, value in before.get(result.record_id, {}).items())
        result.changes.extend(rows_pb.ImportFieldChange(field=name, before=text) for name, text in told)
    return pb.BulkWriteMembersResponse(results=results)


def _texts(chunk: Chunk, row: rows_pb.ImportRow) -> dict[str, str]:
    """Field → text of a row; for one release also as import sent it before."""
    return dict(zip(chunk.fields, row.texts, strict=True)) if chunk.fields else dict(row.values)


@dataclass
class _Writing:
    """A chunk as it is settled, row after row. `known`: members by login; `administrators`: those who would be left."""

    chunk: Chunk
    known: dict[str, Member]
    managing_roles: set[UUID]
    administrators: set[UUID]
    created: list[tuple[Member, Changes]] = field(default_factory=list)
    changed: list[tuple[Member, Changes]] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)

    def settle(self, row: Row) -> rows_pb.ImportRowResult:
        """What becomes of the row."""
        member = self.known.get(row.login)
        problems = [*row.problems] if member else [*row.problems, *row.lacking()]
        if not problems and row.login in self.taken:
            problems = [Problem("login", "repeated_in_file", row.login, {"first_row": self.taken[row.login]})]
        if problems:
            return _result(row, rows_pb.IMPORT_OUTCOME_FAILED, None, problems)
        self.taken[row.login] = row.number
        if member is None:
            return _result(row, rows_pb.IMPORT_OUTCOME_CREATED, self._create(row))
        if not self.chunk.update:
            problem = Problem("login", "member_exists", row.login)
            return _result(row, rows_pb.IMPORT_OUTCOME_SKIPPED, member.id, [problem])
        problems = self._change(row, member)
        outcome = rows_pb.IMPORT_OUTCOME_FAILED if problems else rows_pb.IMPORT_OUTCOME_UPDATED
        return _result(row, outcome, member.id, problems)

    def _create(self, row: Row) -> UUID:
        values = {**_USUAL, **row.values}
        member = Member(id=new_id(), version=0, active=True, epoch=0, session_generation=0, **values)
        self.created.append((member, ({}, {**values, **self._source})))
        if self.managing_roles.intersection(member.role_ids):
            self.administrators.add(member.id)
        return member.id

    def _change(self, row: Row, member: Member) -> list[Problem]:
        """Change the member, unless something is in the way, which is returned."""
        values, problems = row.cleared() if self.chunk.clear_empty else ({}, [])
        values |= {name: value for name, value in row.values.items() if name != "login"}
        if member.service_account:
            problems.append(Problem("login", "is_service_account", row.login))
        elif not member.active:
            problems.append(Problem("login", "member_inactive", row.login))
        elif "role_ids" in values and not self._may_have(member.id, values["role_ids"]):
            problems.append(Problem("roles", "last_administrator"))
        if problems:
            return problems
        changes = member.take_over(values)
        if any(changes):
            if "role_ids" in changes[1]:
                member.revoke_tokens()
            self.changed.append((member, (changes[0], {**changes[1], **self._source})))
        return []

    def _may_have(self, member_id: UUID, role_ids: Sequence[UUID]) -> bool:
        """False when nobody would be left who may manage the organisation."""
        if self.managing_roles.intersection(role_ids):
            self.administrators.add(member_id)
        elif self.administrators == {member_id}:
            return False
        else:
            self.administrators.discard(member_id)
        return True

    @property
    def _source(self) -> dict[str, Any]:
        return {"source_job": self.chunk.job_id}


def _result(
    row: Row, outcome: rows_pb.ImportOutcome.ValueType, member_id: UUID | None, problems: Sequence[Problem] = ()
) -> rows_pb.ImportRowResult:
    return rows_pb.ImportRowResult(
        row_number=row.number,
        outcome=outcome,
        record_id=str(member_id or ""),
        matched_by="login" if member_id and outcome != rows_pb.IMPORT_OUTCOME_CREATED else "",
        problems=[
            rows_pb.ImportRowProblem(
                field=problem.field,
                code=problem.code,
                value=problem.value[:_MOST_SHOWN],
                parameters={name: str(value) for name, value in problem.parameters.items()},
            )
            for problem in problems
        ],
    )
