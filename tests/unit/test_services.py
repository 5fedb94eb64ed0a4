"""What every service keeps to, whoever wrote it."""

import re
from importlib import import_module

import pytest

from chassis.http.api import Access
from chassis.http.openapi import openapi_document
from chassis.settings import ServiceSettings
from directory.permissions import Permission
from tests.support.repository import ROOT, SERVICE_PACKAGES, mentions, readme_of, routes_declared, routes_in, service_of

# Versions that others count, and those that are part of what happened.
NOT_ITS_OWN = {
    "crm_customer": {
        "customers.assignment_version",
        "customers.effects_version",
        "assignment_effects.version",
        "pools.version",
    },
    "crm_pool": {
        "customers.facts_version",
        "rehearsals.rule_version",
        "assignment_history.version",
        "assignment_history.undoes_version",
        "claim_ledger.version",
    },
}

each_service = pytest.mark.parametrize("package", SERVICE_PACKAGES)


def test_there_are_services() -> None:
    assert SERVICE_PACKAGES


@each_service
def test_every_route_is_in_the_readme_and_nothing_else_is(package: str) -> None:
    declared, written = routes_declared(package), routes_in(readme_of(package))

    assert declared - written == set(), "not in the README"
    assert [route for route in written - declared if not mentions(package, route[1])] == [], "in the README alone"


@each_service
def test_every_rpc_is_in_the_readme(package: str) -> None:
    name = {"crm_import": "imports"}.get(package, package.removeprefix("crm_"))
    contracts = ROOT / f"proto/crm/{name}/v1/{name}_service.proto"
    methods = (
        re.findall(r"^ *rpc (\w+)", contracts.read_text(encoding="utf-8"), re.MULTILINE) if contracts.exists() else []
    )

    assert [method for method in methods if method not in readme_of(package)] == []


@each_service
def test_every_subscription_is_in_the_readme(package: str) -> None:
    durables = [subscription.durable for subscription in service_of(package).subscriptions]

    assert [durable for durable in durables if f"`{durable}`" not in readme_of(package)] == []


@each_service
def test_every_setting_is_explained(package: str) -> None:
    own = set(service_of(package).settings.model_fields) - set(ServiceSettings.model_fields)

    assert [name.upper() for name in sorted(own) if f"`{name.upper()}`" not in readme_of(package)] == []


def test_the_settings_of_every_service_are_explained_in_operations() -> None:
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

    assert [name.upper() for name in ServiceSettings.model_fields if f"`{name.upper()}`" not in operations] == []


@each_service
def test_every_role_and_command_and_projection_is_explained(package: str) -> None:
    service = service_of(package)
    projections = [projection.name for projection in service.projections]
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

    row = f"| {service.name} | {', '.join(f'`{name}`' for name in projections)} |"
    assert not projections or row in operations
    assert [name for name in (*service.roles, *service.commands) if name not in readme_of(package)] == []


@each_service
def test_every_route_names_a_known_permission_and_describes_itself(package: str) -> None:
    routes = [route for api in service_of(package).apis for route in api.routes]

    assert [
        route.path for route in routes if not isinstance(route.access, Access) and route.access not in set(Permission)
    ] == []
    assert [route.path for route in routes if not route.summary] == []


@each_service
def test_its_audit_can_be_read_by_whoever_may(package: str) -> None:
    """Q-07: who did what to which record, when, with both values."""
    service = service_of(package)
    guarded = {(route.path, route.access) for api in service.apis for route in api.routes}

    assert (f"/{service.name}/audit", Permission.AUDIT_READ) in guarded


@each_service
def test_every_version_it_counts_is_lifted_after_a_restore(package: str) -> None:
    service = service_of(package)
    tables = [table for metadata in service.metadatas for table in metadata.tables.values()]
    counted = {
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if column.name.endswith("version") and not table.name.startswith("directory_")
    }

    lifted = {f"{version.class_.__tablename__}.{version.key}" for version in service.versions}
    assert lifted == counted - NOT_ITS_OWN.get(package, set())


@each_service
def test_operation_ids_are_unique_and_the_document_can_be_made(package: str) -> None:
    service = service_of(package)
    names = [route.operation_id for api in service.apis for route in api.routes]

    assert len(names) == len(set(names))
    assert openapi_document(service.name, service.apis)["paths"]


@each_service
def test_migrations_of_the_service_and_its_libraries_have_one_head_each(package: str) -> None:
    service = service_of(package)

    assert len(service.scripts().get_heads()) == len(service.migrations) + 1


@each_service
def test_words_of_every_library_in_use_are_loaded(package: str) -> None:
    service = service_of(package)

    assert package in service.messages
    if "batch.migrations" in service.migrations:
        assert "batch" in service.messages


@each_service
def test_a_process_can_be_started_from_the_package(package: str) -> None:
    assert import_module(f"{package}.__main__")
