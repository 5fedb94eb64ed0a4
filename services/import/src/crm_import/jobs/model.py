"""An import job: one uploaded file on its way into the lists that people work with."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, Index, Integer, Text, false
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.errors import Conflict, Stale
from crm_import.database import Base
from crm_import.jobs.rules import (
    ENDED,
    ENDS_AS,
    HANDLED_AS,
    SETTABLE,
    UNDER_WAY,
    WAITING_FOR_CHUNKS,
    MappedColumn,
    Mode,
    SplitPlan,
    Stage,
    Status,
    check_days,
    check_mapping,
    check_match_fields,
    check_matchable,
    check_required,
    check_settings,
)
from crm_import.kinds.kind import Field, Form, Kind
from crm_import.kinds.registry import KINDS
from crm_import.mapping.forms import Typing
from crm_import.mapping.model import SavedMapping
from crm_import.mapping.rules import date_order_of, fitted, guess_mapping, usable_match_fields, usual_match_fields
from crm_import.reading.tables import Layout

_SETTINGS = (
    "mapping",
    "mode",
    "match_fields",
    "clear_empty",
    "mobile_required",
    "sheet",
    "header_row",
    "encoding",
    "delimiter",
    "quote",
    "date_order",
)
# What a saved mapping keeps beside the mapping.
_KEPT = ("mode", "match_fields", "clear_empty", "date_order")  # fmt: skip


class ImportJob(Base):
    """`saved_mapping_id` is what it was mapped by. `columns` are as `reading.preview` found them, `mapping` `{column, field}`; `version` grows with every change that a
    reader can see, progress included. `total` is 0 until the file is split, and again when it would be split otherwise.
    The other four counts are sums over its chunks, of a rehearsal what they would be; `stage`: what its chunks are
    handled for (decision 0029). `undone` and `left` are rows of an undo, `undecided` those of a rehearsal that wait for
    somebody's decision; `is_rehearsal_outdated`: cells have been corrected since. `is_settled`: no chunk is left to be handled.
    """

    __tablename__ = "import_jobs"
    __table_args__ = (
        Index("ix_import_jobs_created_by", "created_by", "id"),
        Index("ix_import_jobs_status", "status", "touched_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text, server_default="customers")
    status: Mapped[str] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(Text)
    file_bytes: Mapped[int] = mapped_column(Integer)
    file_format: Mapped[str] = mapped_column(Text)
    sheets: Mapped[list[str]] = mapped_column(ARRAY(Text))
    sheet: Mapped[str | None] = mapped_column(Text)
    encoding: Mapped[str | None] = mapped_column(Text)
    delimiter: Mapped[str | None] = mapped_column(Text)
    quote: Mapped[str | None] = mapped_column(Text)
    date_order: Mapped[str | None] = mapped_column(Text)
    header_row: Mapped[int] = mapped_column(Integer)
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    rows_estimate: Mapped[int] = mapped_column(Integer)
    mapping: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    saved_mapping_id: Mapped[UUID | None]
    # Custom fields as the importer saw them when the mapping was made; none: nobody could be asked.
    custom_fields: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    mode: Mapped[str] = mapped_column(Text)
    match_fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    target_pool_id: Mapped[UUID | None]
    clear_empty: Mapped[bool] = mapped_column(Boolean)
    mobile_required: Mapped[bool] = mapped_column(Boolean)
    total: Mapped[int] = mapped_column(Integer)
    created: Mapped[int] = mapped_column(Integer)
    updated: Mapped[int] = mapped_column(Integer)
    skipped: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    undone: Mapped[int] = mapped_column(Integer, server_default="0")
    left: Mapped[int] = mapped_column("rows_left", Integer, server_default="0")
    undecided: Mapped[int] = mapped_column(Integer, server_default="0")
    is_rehearsal_outdated: Mapped[bool] = mapped_column(server_default=false())
    stage: Mapped[str] = mapped_column(Text, server_default="write")
    # Id → name of the pools that its rows' customers lie in, or would.
    pool_names: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    split_tries: Mapped[int] = mapped_column(Integer)
    failure_code: Mapped[str | None] = mapped_column(Text)
    failure_parameters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    rehearsed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    undone_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    undone_by: Mapped[UUID | None]
    touched_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    is_settled: Mapped[bool] = mapped_column(Boolean)
    are_results_expired: Mapped[bool] = mapped_column(Boolean)

    @classmethod
    def upload(
        cls,
        job_id: UUID,
        created_by: UUID,
        kind: Kind,
        *,
        file_name: str,
        file_bytes: int,
        found: Mapping[str, Any],
        custom: Sequence[Field] | None,
        now: datetime,
    ) -> Self:
        """A new job about a stored file; `found` is what its preview told, `custom` as in `learn`."""
        job = cls(
            id=job_id,
            version=1,
            created_by=created_by,
            kind=kind.name,
            status=Status.UPLOADED,
            file_name=file_name,
            file_bytes=file_bytes,
            file_format=found["format"],
            mode=Mode.CREATE_ONLY,
            match_fields=list(kind.default_match_fields),
            columns=[],
            mapping=[],
            target_pool_id=None,
            clear_empty=False,
            mobile_required=False,
            total=0,
            created=0,
            updated=0,
            skipped=0,
            failed=0,
            undecided=0,
            is_rehearsal_outdated=False,
            stage=Stage.WRITE,
            pool_names={},
            split_tries=0,
            failure_code=None,
            failure_parameters={},
            created_at=now,
            started_at=None,
            finished_at=None,
            touched_at=now,
            is_settled=False,
            are_results_expired=False,
        )
        job.learn(custom)
        job.read_as(found)
        return job

    @property
    def traits(self) -> Kind:
        """What holds for its kind, with the custom fields."""
        return KINDS[self.kind].extended(map(Field.stored, self.custom_fields or ()))

    @property
    def source_key(self) -> str:
        """Where the uploaded file lies in the object store."""
        return f"imports/{self.id}/source"

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED

    @property
    def percent(self) -> int:
        """How much of its stage is done, 0 to 100."""
        if self.status in (ENDS_AS[Stage(self.stage)], Status.FINISHED):  # also when an undo of it was cancelled
            return 100
        if self.stage == Stage.UNDO:
            done, total = self.undone + self.left, self.created + self.updated
        else:
            done, total = self.created + self.updated + self.skipped + self.failed, self.total
        return done * 100 // total if total else 0

    @property
    def is_handled(self) -> bool:
        """Whether the chunks of its stage are being handled."""
        return self.status == HANDLED_AS[Stage(self.stage)]

    @property
    def first_column(self) -> int:
        """The column where the cells of its rows begin."""
        index: int = self.columns[0]["index"]
        return index

    @property
    def may_be_retried(self) -> bool:
        """Whether it has ended with results of which none was undone."""
        ended = self.status in (Status.FINISHED, Status.FAILED, Status.CANCELLED) and self.is_settled
        return ended and self.started_at is not None and not (self.are_results_expired or self.undone or self.left)

    @property
    def acting_member(self) -> UUID:
        """Who acts in its stage: whoever undoes it, else the importer."""
        return self.undone_by if self.stage == Stage.UNDO and self.undone_by else self.created_by

    @property
    def split_plan(self) -> SplitPlan:
        """How its file is split with the settings of now."""
        return SplitPlan(
            job_id=self.id,
            source_key=self.source_key,
            layout=Layout(self.file_format, self.sheet, self.encoding, self.delimiter, self.quote),
            header_row=self.header_row,
            first=self.first_column,
            last=self.columns[-1]["index"],
            mapped=self.mapped,
            match=list(dict.fromkeys(map(self.traits.matched_column, self.effective_match_fields))),
            within=self.traits.match_within,
            mobile=self.traits.mobile,
            required=self.required_fields,
        )

    @property
    def mapped(self) -> dict[str, int]:
        """Field → index of the column that fills it."""
        return {entry["field"]: entry["column"] for entry in self.mapping}

    @property
    def typing(self) -> Typing:
        """How its cells are read."""
        forms = {field.name: Form(field.form) for field in self.traits.fields if field.form != Form.TEXT}
        return Typing(forms, self.date_order, any(column.get("from_1904") for column in self.columns))

    @property
    def effective_match_fields(self) -> list[str]:
        """The match fields that can match."""
        return usable_match_fields(self.match_fields, self.mapped, self.traits)

    @property
    def demanded_fields(self) -> list[str]:
        """The fields that every row must fill by import's own rule; all else is for whoever writes the rows to demand."""
        mobile = self.traits.mobile
        return [mobile] if mobile and self.mobile_required else []

    @property
    def required_fields(self) -> list[str]:
        """The fields without which no row is written: a column fills each (A-35, X-02)."""
        to_create = self.traits.required_to_create if self.mode == Mode.CREATE_ONLY else ()
        return [*self.traits.required, *to_create, *self.demanded_fields]

    def settings(self) -> dict[str, Any]:
        """What people may set, as JSON."""
        named = {name: getattr(self, name) for name in _SETTINGS}
        return named | {"target_pool_id": str(self.target_pool_id) if self.target_pool_id else None}

    def learn(self, custom: Sequence[Field] | None) -> None:
        """Take over the custom fields that the importer sees now; None, nobody could be asked: those of before stay."""
        if custom is not None:
            self.custom_fields = [asdict(replace(field, options=())) for field in custom]

    @property
    def mapping_by_header(self) -> list[dict[str, str]]:
        """Its mapping as it is saved for other files: `{header, field}` in file order."""
        headers = {column["index"]: column["header"] for column in self.columns}
        entries = sorted(self.mapping, key=lambda entry: entry["column"])
        return [{"header": headers[entry["column"]], "field": entry["field"]} for entry in entries]

    @property
    def kept_settings(self) -> dict[str, Any]:
        """Its settings that are saved with the mapping."""
        return {name: getattr(self, name) for name in _KEPT}

    def map_by(self, saved: SavedMapping, now: datetime) -> bool:
        """Map its columns as `saved` does, with its settings; False when a header is missing, or there is none. Fields that the importer
        does not see any more are left out.
        """
        mapping, missing = fitted(saved.fields, self.columns)
        if missing or not mapping or saved.kind != self.kind:
            return False
        self.mapping = [entry for entry in mapping if entry["field"] in self.traits.by_name]
        self.mode, self.match_fields = saved.settings["mode"], saved.settings["match_fields"]
        self.clear_empty = saved.settings["clear_empty"]
        self.date_order = self.date_order or saved.settings["date_order"]
        self.saved_mapping_id, saved.used_at = saved.id, now
        return True

    def read_as(self, found: Mapping[str, Any]) -> None:
        """Take over how the file is read; the mapping is guessed afresh."""
        self.sheets, self.sheet = found["sheets"], found["sheet"]
        self.encoding, self.delimiter, self.quote = found["encoding"], found["delimiter"], found["quote"]
        self.header_row, self.rows_estimate = found["header_row"], found["rows_estimate"]
        was_usual = self.matches_as_usual
        self.columns = found["columns"]
        self.saved_mapping_id = None
        self.date_order = date_order_of(self.columns)
        guessed = guess_mapping(
            [column["header"] if self.header_row else "" for column in self.columns],
            self.traits,
            [column["sample"] for column in self.columns],
        )
        self.mapping = [
            {"column": column["index"], "field": field}
            for column, field in zip(self.columns, guessed, strict=True)
            if field
        ]
        self._match_as_usual(was_usual)

    def require_version(self, expected: int, proposed: Mapping[str, Any]) -> None:
        """Raise Stale with both values of each clashing field unless `expected` is the current version."""
        if self.version != expected:
            current = {name: getattr(self, name, None) for name in proposed}
            clashes = [
                {"field": name, "current": current[name], "yours": value}
                for name, value in proposed.items()
                if current[name] != value
            ]
            raise Stale("stale_version", extra={"version": self.version, "clashes": clashes})

    def require_settable(self) -> None:
        """Raise Conflict while something is being done with it, and once it has been started."""
        if self.is_being_rehearsed:
            raise Conflict("import_being_rehearsed")
        if self.status not in SETTABLE:
            raise Conflict("import_already_started")

    def require_own_settings(self, proposed: Mapping[str, Any]) -> None:
        """Raise Invalid when `proposed` holds settings that its kind does not have."""
        check_settings(proposed, self.traits)

    def map_columns(self, mapping: Sequence[MappedColumn], language: str) -> None:
        """Set which columns fill which fields. Raises Invalid (D-17, D-18)."""
        check_mapping(mapping, [column["index"] for column in self.columns], self.traits, language)
        was_usual = self.matches_as_usual
        self.mapping = [{"column": entry.column, "field": entry.field} for entry in mapping]
        self._match_as_usual(was_usual)
        self.saved_mapping_id = None
        check_required(self.mapped, self.required_fields, self.traits, language)

    @property
    def matches_as_usual(self) -> bool:
        """Whether nobody has chosen other match fields than its file suggests."""
        return self.match_fields == usual_match_fields(self.traits, self.mapped, self.columns)

    def _match_as_usual(self, still: bool) -> None:
        if still:
            self.match_fields = usual_match_fields(self.traits, self.mapped, self.columns)

    def match_on(self, match_fields: Sequence[str], language: str) -> None:
        """Set which fields make a row match a record. Raises Invalid (D-20)."""
        check_match_fields(match_fields, self.traits, language)
        self.match_fields = list(match_fields)

    def choose_pool(self, pool_id: UUID | None) -> None:
        """Set where created rows go (D-23); a pool demands a mobile unless told otherwise after (X-02)."""
        if pool_id != self.target_pool_id:
            self.mobile_required = pool_id is not None
        self.target_pool_id = pool_id

    def name_pools(self, names: Mapping[str, str]) -> None:
        """Keep what pools are called."""
        if not names.items() <= self.pool_names.items():
            self.pool_names = {**self.pool_names, **names}

    def pool_name(self, pool_id: UUID | None) -> str | None:
        """What a pool was called when customers were put into it, or would have been."""
        return self.pool_names.get(str(pool_id)) if pool_id else None

    def correct(self, now: datetime) -> None:
        """Some of its cells have been corrected: what a rehearsal has told of their rows holds no more."""
        self.is_rehearsal_outdated = self.status == Status.REHEARSED
        self.changed(now)

    def changed(self, now: datetime) -> None:
        """Count a change that readers can see."""
        self.version += 1
        self.touched_at = now

    def forget_rehearsal(self) -> None:
        """Go back to where it was before it was rehearsed; nothing is kept of what a rehearsal has counted."""
        self.status, self.stage, self.rehearsed_at = Status.UPLOADED, Stage.WRITE, None
        self.is_rehearsal_outdated = False
        self.failure_code, self.failure_parameters = None, {}
        self.created = self.updated = self.skipped = self.failed = self.undecided = 0

    def rehearse(self, now: datetime, language: str) -> bool:
        """Queue it for a rehearsal; False when one is under way. Raises Invalid or Conflict."""
        if self.is_being_rehearsed:
            return False
        self.require_settable()
        self.forget_rehearsal()
        self._queue(Stage.REHEARSAL, now, language)
        return True

    @property
    def is_being_rehearsed(self) -> bool:
        """Whether a rehearsal waits or is under way."""
        return self.stage == Stage.REHEARSAL and self.status in UNDER_WAY

    def require_rehearsed(self) -> None:
        """Raise Conflict unless there is a rehearsal, done or under way, to be looked at."""
        if self.are_results_expired:
            raise Conflict("import_results_expired")
        if self.rehearsed_at is None and not self.is_being_rehearsed:
            raise Conflict("import_not_rehearsed")

    def start(self, now: datetime, language: str, *, skip_undecided: bool) -> bool:
        """Queue it for writing; False when that was done before. In mode ask every row that matches a record must have
        been decided about, unless those that are not are skipped (D-21): a row corrected since the rehearsal may be one
        of them. Raises Invalid or Conflict.
        """
        if self.has_ended:
            raise Conflict("import_already_ended")
        if self.is_being_rehearsed:
            raise Conflict("import_being_rehearsed")
        if self.status not in SETTABLE:
            return False
        if self.mode == Mode.ASK:
            self.require_rehearsed()
            if self.is_rehearsal_outdated and not skip_undecided:
                raise Conflict("rehearsal_outdated")
            if self.undecided and not skip_undecided:
                raise Conflict("rows_undecided", count=self.undecided)
        self._queue(Stage.WRITE, now, language)
        self.started_at = now
        return True

    def _queue(self, stage: Stage, now: datetime, language: str) -> None:
        check_required(self.mapped, self.required_fields, self.traits, language)
        check_matchable(self.match_fields, self.mapped, self.traits)
        check_days(self.columns, self.mapped, self.typing)
        self.status, self.stage, self.split_tries = Status.QUEUED, stage, 0
        self.failure_code, self.failure_parameters = None, {}
        self.created = self.updated = self.skipped = self.failed = self.undecided = 0
        self.changed(now)

    def retry(self, now: datetime) -> None:
        """Write rows again that failed; chunks with them exist. Raises Conflict."""
        if not self.may_be_retried:
            raise Conflict("nothing_to_retry")
        self.stage, self.started_at, self.finished_at = Stage.WRITE, now, None
        self.failure_code, self.failure_parameters = None, {}
        self.handle_chunks(now)

    def begin_splitting(self, now: datetime) -> bool:
        """False when there is nothing to split any more."""
        if self.status not in WAITING_FOR_CHUNKS:
            return False
        if self.status == Status.QUEUED:
            self.status = Status.VALIDATING
            self.changed(now)
        self.touched_at = now
        return True

    def handle_chunks(self, now: datetime) -> None:
        """All its chunks exist and are handled from now on."""
        self.status, self.is_settled = HANDLED_AS[Stage(self.stage)], False
        self.changed(now)

    def cancel(self, now: datetime) -> bool:
        """Stop what is being done: what is written, or undone, stays so, the rest of an import becomes skipped; a
        rehearsal is forgotten. False when nothing is left to be cancelled. Raises Conflict when it has ended otherwise.
        """
        if self.status == Status.CANCELLED:
            return False
        if self.has_ended:
            raise Conflict("import_already_ended")
        if self.is_being_rehearsed:
            self.forget_rehearsal()
            self.changed(now)
        elif self.stage == Stage.UNDO:
            self.is_settled = True
            self._end(Status.FAILED if self.failure_code else Status.FINISHED, now)
        else:
            self._end(Status.CANCELLED, now)
        return True

    @property
    def undo_refusal(self) -> str | None:
        """Why it cannot be undone at this moment, as a code; None: it can."""
        if not self.traits.to_undo:
            return "import_not_undoable"
        if self.status == Status.UNDOING:
            return "import_being_undone"
        if self.are_results_expired:
            return "import_results_expired"
        if not (self.has_ended and self.is_settled):
            return "import_not_ended"
        if not self.created + self.updated:
            return "nothing_to_undo"
        return "import_undone" if self.status == Status.UNDONE and not self.left else None

    def undo(self, member_id: UUID, now: datetime) -> bool:
        """Let a member take back what it wrote; False when that is being done, or is done. Raises Conflict."""
        if (refusal := self.undo_refusal) in ("import_being_undone", "import_undone"):
            return False
        if refusal:
            raise Conflict(refusal)
        if self.stage == Stage.UNDO:
            # What an undo before it failed for; what the import itself failed for stays.
            self.failure_code, self.failure_parameters = None, {}
        self.stage, self.undone_by, self.undone_at = Stage.UNDO, member_id, None
        return True

    def fail(self, code: str, parameters: Mapping[str, Any], now: datetime) -> bool:
        """Give up what is being done with it; False when nothing is. A rehearsal is forgotten: its settings can be changed."""
        if self.status not in UNDER_WAY:
            return False
        if self.is_being_rehearsed:
            self.forget_rehearsal()
            self.changed(now)
        else:
            self._end(Status.FAILED, now)
        self.failure_code, self.failure_parameters = code, dict(parameters)
        return True

    def expire(self, now: datetime) -> None:
        """Its file and row results are deleted; one that was never started can be started no more."""
        self.are_results_expired = True
        if self.status in SETTABLE:
            self.is_settled = True
            self._end(Status.CANCELLED, now)

    def settle(self, now: datetime) -> bool:
        """No chunk of its stage is left; False when that was known before."""
        if self.is_settled:
            return False
        if self.is_handled and self.stage == Stage.REHEARSAL:
            self.status, self.rehearsed_at = Status.REHEARSED, now
            self.changed(now)
            return True
        self.is_settled = True
        if self.is_handled:
            self._end(ENDS_AS[Stage(self.stage)], now)
        return True

    def _end(self, status: Status, now: datetime) -> None:
        if self.status in SETTABLE:
            self.forget_rehearsal()
        if status == Status.UNDONE:
            self.undone_at = now
        elif self.stage != Stage.UNDO:
            self.finished_at = now
        self.status = status
        self.changed(now)
