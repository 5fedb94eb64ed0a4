"""REST of saved mappings: everybody's own."""

from uuid import UUID

from chassis.clock import now
from chassis.http.api import Api, Page
from chassis.http.call import Call
from crm_import.mapping.queries import list_mappings
from crm_import.saved_mappings import commands
from crm_import.saved_mappings.views import (
    MappingChanges,
    MappingsQuery,
    NewMapping,
    SavedMappingView,
    mapping_view,
)
from directory.permissions import Permission

api = Api("import-mappings")


@api.route(
    "GET",
    "/import-mappings",
    access=Permission.IMPORT_RUN,
    summary="One's own saved mappings",
    query=MappingsQuery,
    reply=Page[SavedMappingView],
)
def list_saved_mappings(call: Call[None, MappingsQuery]) -> Page[SavedMappingView]:
    """The one last used first. A file with all headers of one is mapped by it at its upload."""
    query = call.query
    with call.runtime.database.reading() as session:
        found, total = list_mappings(session, call.actor.id, query.kind, query.page, query.page_size)
        items = [mapping_view(mapping, call.language) for mapping in found]
    return Page[SavedMappingView](items=items, page=query.page, page_size=query.page_size, total=total)


@api.route(
    "POST",
    "/import-mappings",
    access=Permission.IMPORT_RUN,
    summary="Save the mapping of an import",
    body=NewMapping,
    reply=SavedMappingView,
    status=201,
    idempotent=True,
    versioned=True,
)
def save_mapping(call: Call[NewMapping, None]) -> SavedMappingView:
    """With its mode, match fields and order of dates; at most 100."""
    body = call.body
    return call.command(
        lambda session: mapping_view(
            commands.save_mapping(session, call.actor, body.name, body.import_id, now()), call.language
        )
    )


@api.route(
    "PATCH",
    "/import-mappings/<uuid:mapping_id>",
    access=Permission.IMPORT_RUN,
    summary="Rename a saved mapping",
    body=MappingChanges,
    reply=SavedMappingView,
    versioned=True,
)
def rename_mapping(call: Call[MappingChanges, None], mapping_id: UUID) -> SavedMappingView:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        mapping = commands.rename_mapping(session, call.actor, mapping_id, expected, call.body.name)
        session.flush()
        return mapping_view(mapping, call.language)


@api.route(
    "DELETE",
    "/import-mappings/<uuid:mapping_id>",
    access=Permission.IMPORT_RUN,
    summary="Delete a saved mapping",
    status=204,
    versioned=True,
)
def forget_mapping(call: Call[None, None], mapping_id: UUID) -> None:
    expected = call.expected_version()
    with call.runtime.database.transaction() as session:
        commands.forget_mapping(session, call.actor, mapping_id, expected)
