"""Shapes of the import routes."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from chassis.http.api import Body, NearDay, PageQuery, View
from crm_import.jobs.model import ImportJob
from crm_import.jobs.rules import Mode, Stage, Status, days_read
from crm_import.kinds.kind import KindName
from crm_import.mapping.forms import DateOrder, DigitsLost, Typing


class DaysView(View):
    """A day that can be read in two ways: as `mdy`, and as `dmy`."""

    value: str
    mdy: str
    dmy: str


class ColumnView(View):
    """A column of the file, its first value, and the field it fills, if any. `days`: how its first day would be read
    while `date_order` is neither found nor set.
    """

    index: int
    header: str
    sample: str
    field: str | None
    field_label: str | None
    days: DaysView | None


class PreviewCell(View):
    """A cell as it will be read for the field it fills, or the `problem` (a code, as of rows) that makes its row fail."""

    value: str
    problem: str | None


class PreviewRow(View):
    """One of the first rows; `cells` are those of the columns."""

    row_number: int
    cells: list[PreviewCell]


class FieldView(View):
    """A field that a column can fill; `required`: one column must, with these settings."""

    name: str
    label: str
    required: bool


class MappingEntry(Body):
    """Which column (index from 0) fills which field."""

    column: int = Field(ge=0, strict=True)
    field: str = Field(min_length=1, max_length=50)


class ImportView(View):
    """An import job. `stage`: what its rows were last handled for; of a rehearsal the counts tell what would become of
    them, `undecided` how many of those to be skipped wait for a decision. `sheet` and `sheets` are of workbooks, `encoding`, `delimiter` and `quote` of CSV files; `header_row` 0:
    there is none, columns are called A, B, C; `date_order` of days like 05/01/2026; `percent` is of rows.
    """

    id: UUID
    version: int
    kind: KindName
    status: Status
    file_name: str
    file_bytes: int
    file_format: str
    sheets: list[str]
    sheet: str | None
    encoding: str | None
    delimiter: str | None
    quote: str | None
    date_order: DateOrder | None
    header_row: int
    rows_estimate: int
    columns: list[ColumnView]
    mapping: list[MappingEntry]
    saved_mapping_id: UUID | None = Field(description="the saved mapping that the columns were mapped by")
    mode: Mode
    match_fields: list[str]
    target_pool_id: UUID | None
    clear_empty: bool
    mobile_required: bool
    stage: Stage
    total: int
    created: int
    updated: int
    skipped: int
    failed: int
    undecided: int
    percent: int
    created_by: UUID
    created_at: datetime
    rehearsed_at: datetime | None
    is_rehearsal_outdated: bool = Field(
        description="rows have been corrected since the rehearsal; another one tells what becomes of them"
    )
    started_at: datetime | None
    finished_at: datetime | None
    failure_code: str | None = Field(description="why it failed, or why its last rehearsal could not go on")
    failure_message: str | None
    custom_fields_known: bool = Field(
        description="false: customer could not be asked for custom fields; mapping columns again asks once more"
    )


class UndoView(View):
    """What an undo would do, or did: `rows` have created or updated something, of these `undone` are as before, `left` not,
    or only in part. Unless `possible`, `code` and `message` say why not now.
    """

    possible: bool
    code: str | None
    message: str | None
    rows: int
    undone: int
    left: int
    undone_by: UUID | None
    undone_at: datetime | None


class ImportDetail(ImportView):
    """An import job with the fields that its columns can fill, custom ones included, its first rows, and its undo."""

    fields: list[FieldView]
    preview: list[PreviewRow]
    undo: UndoView


class ImportSettingsBody(Body):
    """What may be set before the start; what is left out stays. Another `sheet`, `header_row` (0: none),
    `encoding`, `delimiter` or `quote` reads the file again and guesses the mapping afresh. `target_pool_id` and `mobile_required` are of
    customers alone; activities have neither another mode than create_only nor match fields.
    """

    saved_mapping_id: UUID | None = Field(default=None, description="map as this saved mapping, with its settings")
    mapping: list[MappingEntry] | None = Field(default=None, max_length=200)
    mode: Mode | None = None
    match_fields: list[str] | None = Field(default=None, max_length=4)
    target_pool_id: UUID | None = None
    clear_empty: bool | None = Field(default=None, strict=True)
    mobile_required: bool | None = Field(default=None, strict=True)
    sheet: str | None = Field(default=None, max_length=100)
    header_row: int | None = Field(default=None, ge=0, le=1000, strict=True)
    encoding: Literal["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "big5"] | None = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    quote: Literal['"', "'", "none"] | None = None
    date_order: DateOrder | None = None


class StartQuery(Body):
    """`undecided=skip`: rows that match a record and that nobody has decided about are skipped."""

    undecided: Literal["skip"] | None = None


class UploadQuery(Body):
    """What the rows of the file are."""

    kind: KindName = KindName.CUSTOMERS


class ImportQuery(PageQuery):
    """Paging of the list of imports, newest first."""

    kind: KindName | None = None
    status: Status | None = None
    created_by: UUID | None = None
    from_: NearDay | None = Field(default=None, alias="from", description="uploaded since, a day of the organisation")
    to: NearDay | None = Field(default=None, description="uploaded until, inclusive")


def import_view(job: ImportJob, language: str, failure_message: str | None) -> ImportView:
    """The view of a job with labels in `language`."""
    fields = {column: name for name, column in job.mapped.items()}
    values: dict[str, Any] = {
        name: getattr(job, name)
        for name in ImportView.model_fields
        if name not in ("columns", "mapping", "failure_message", "custom_fields_known")
    }
    kind, typing = job.traits, job.typing
    columns = [
        ColumnView(
            index=column["index"],
            header=column["header"],
            sample=column["sample"],
            days=_days(column, typing),
            field=fields.get(column["index"]),
            field_label=kind.label(fields[column["index"]], language) if column["index"] in fields else None,
        )
        for column in job.columns
    ]
    mapping = [MappingEntry(**entry) for entry in job.mapping]
    known = job.custom_fields is not None or not kind.custom_fields
    return ImportView(
        **values, columns=columns, mapping=mapping, failure_message=failure_message, custom_fields_known=known
    )


def import_detail(job: ImportJob, language: str, failure_message: str | None, undo_message: str | None) -> ImportDetail:
    """The view of a job with its fields in `language`; `undo_message`: why it cannot be undone now."""
    kind, required = job.traits, job.required_fields
    fields = [
        FieldView(name=field.name, label=field.label(language), required=field.name in required)
        for field in kind.fields
    ]
    view = dict(import_view(job, language, failure_message))
    return ImportDetail(**view, fields=fields, preview=_preview(job), undo=_undo(job, undo_message))


def _undo(job: ImportJob, message: str | None) -> UndoView:
    return UndoView(
        possible=message is None,
        code=job.undo_refusal,
        message=message,
        rows=job.created + job.updated if job.started_at else 0,
        undone=job.undone,
        left=job.left,
        undone_by=job.undone_by,
        undone_at=job.undone_at,
    )


def _days(column: Mapping[str, Any], typing: Typing) -> DaysView | None:
    days = days_read(column, typing)
    return DaysView(**asdict(days)) if days else None


def _preview(job: ImportJob) -> list[PreviewRow]:
    fields = {column: name for name, column in job.mapped.items()}
    # Jobs of before have none.
    samples = [(fields.get(column["index"], ""), column.get("samples", {})) for column in job.columns]
    typing = job.typing
    numbers = sorted({int(number) for _, texts in samples for number in texts})
    return [
        PreviewRow(
            row_number=number,
            cells=[_preview_cell(typing, field, texts.get(str(number), "")) for field, texts in samples],
        )
        for number in numbers
    ]


def _preview_cell(typing: Typing, field: str, text: str) -> PreviewCell:
    try:
        return PreviewCell(value=typing.typed(field, text), problem=None)
    except DigitsLost:
        return PreviewCell(value=text, problem="digits_lost")
