"""Shapes of saved mappings."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from chassis.http.api import Body, PageQuery, View
from crm_import.kinds.kind import KindName
from crm_import.kinds.registry import KINDS
from crm_import.mapping.model import SavedMapping

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50, pattern="^[^\\x00]*$")]


class NewMapping(Body):
    """The mapping of one's own import `import_id`, under a name that none of the same kind has yet."""

    name: _Name
    import_id: UUID


class MappingChanges(Body):
    """What is to change."""

    name: _Name


class MappingsQuery(PageQuery):
    """One's own saved mappings, the one last used first."""

    kind: KindName | None = None


class HeaderView(View):
    """A header and the field that its column fills."""

    header: str
    field: str
    field_label: str


class SavedMappingView(View):
    """A mapping that is applied to files with all of its headers; `settings` go with it."""

    id: UUID
    version: int
    kind: KindName
    name: str
    fields: list[HeaderView]
    settings: dict[str, Any] = Field(description="as of imports: mode, match_fields, clear_empty, date_order")
    created_at: datetime
    used_at: datetime


def mapping_view(mapping: SavedMapping, language: str) -> SavedMappingView:
    """The view of a mapping with labels in `language`; a custom field has the name of its column."""
    kind = KINDS[mapping.kind]
    fields = [
        HeaderView(**entry, field_label=kind.label(entry["field"], language) if known else entry["header"])
        for entry in mapping.fields
        for known in [entry["field"] in kind.by_name]
    ]
    return SavedMappingView(
        id=mapping.id,
        version=mapping.version,
        kind=KindName(mapping.kind),
        name=mapping.name,
        fields=fields,
        settings=mapping.settings,
        created_at=mapping.created_at,
        used_at=mapping.used_at,
    )
