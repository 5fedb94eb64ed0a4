"""What holds for identity as a whole."""

import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from chassis.database.migration import schema_differences
from chassis.database.tables import metadata as chassis_metadata
from chassis.http.api import Access, Route
from crm_identity.service import SERVICE
from directory.permissions import Permission
from tests.support.services import OpenService

ROUTES = [route for api in SERVICE.apis for route in api.routes]
NOBODY = "00000000-0000-7000-8000-000000000000"


def path_of(route: Route) -> str:
    return re.sub("<uuid:[a-z_]+>", NOBODY, route.path).replace("<int:year>", "2028")


def test_models_and_migrations_agree(bare: OpenService) -> None:
    with bare.database.engine.connect() as connection:
        assert schema_differences(connection, [chassis_metadata, *SERVICE.metadatas]) == []


def test_messages_exist_in_both_languages() -> None:
    zh, en = (
        tomllib.loads(files("crm_identity").joinpath("messages", f"{language}.toml").read_text(encoding="utf-8"))
        for language in ("zh", "en")
    )

    assert set(zh) == set(en)


def test_only_logging_in_is_open_to_anyone() -> None:
    open_routes = {route.operation_id for route in ROUTES if route.access is Access.ANYONE}

    assert open_routes == {
        "log_in",
        "change_password",
        "redeem_link",
        "show_password_page",
        "issue_service_token",
        "refresh",
        "read_jwks",
    }


@pytest.mark.parametrize("route", [r for r in ROUTES if r.access is not Access.ANYONE], ids=lambda r: r.operation_id)
def test_a_stranger_is_refused(untouched: Any, route: Route) -> None:
    assert untouched.call(route.method, path_of(route)).status_code == 401


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.access == Permission.ORGANISATION_MANAGE], ids=lambda r: r.operation_id
)
def test_a_supervisor_may_not_manage_the_organisation(untouched: Any, route: Route) -> None:
    reply = untouched.call(route.method, path_of(route), untouched.people.supervisor)

    assert (reply.status_code, reply.json["code"]) == (403, "forbidden")


def test_creating_and_moving_is_idempotent_by_key() -> None:
    writes = {r.operation_id for r in ROUTES if r.method == "POST" and not re.match("/auth/(?!me/)", r.path)}

    assert writes == {r.operation_id for r in ROUTES if r.idempotent}
