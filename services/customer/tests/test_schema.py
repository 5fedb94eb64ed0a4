"""Migrations, messages and routes agree with the code."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import UniqueConstraint

import chassis.database.tables
from chassis.database.migration import schema_differences
from chassis.http.api import Access
from crm_customer.database import Base
from crm_customer.service import SERVICE
from directory.permissions import Permission


def test_migrations_make_what_the_models_say(customers: Any) -> None:
    with customers.database.engine.connect() as connection:
        assert schema_differences(connection, [chassis.database.tables.metadata, *SERVICE.metadatas]) == []


def test_every_code_has_words_in_both_languages() -> None:
    catalogues = [
        {
            key
            for package in ("chassis", "crm_customer")
            for key in tomllib.loads(files(package).joinpath("messages", f"{language}.toml").read_text("utf-8"))
        }
        for language in ("zh", "en")
    ]
    source = Path(str(files("crm_customer")))
    raised = {
        code
        for path in source.rglob("*.py")
        for code in re.findall(
            r"(?:Invalid|Conflict|Forbidden|NotFound|Stale|Broken|TooManyRequests|Unavailable)\(\s*\"([a-z_]+)\"",
            path.read_text("utf-8"),
        )
        + re.findall(r"(?:Problem|FieldError)\(\s*\"[^\"]+\", \"([a-z_]+)\"", path.read_text("utf-8"))
    }

    assert catalogues[0] == catalogues[1]
    # What only rows of imports meet is worded by the import service.
    imports = tomllib.loads(files("crm_import").joinpath("messages", "zh.toml").read_text("utf-8"))
    of_rows = {key.rpartition(".")[2] for key in imports if key.startswith("row.")}
    assert len(raised) > 15
    assert raised - catalogues[0] - of_rows - {"missing"} == set()


def test_every_route_names_a_right_and_every_creating_post_is_idempotent() -> None:
    routes = [route for api in SERVICE.apis for route in api.routes]

    by_ticket = [route for route in routes if "<ticket>" in route.path]
    # The telephone system shows a secret, and gives each call an id of its own.
    by_secret = [route for route in routes if (route.method, route.path) == ("POST", "/calls")]
    open_to_anyone = by_ticket + by_secret
    assert {route.access for route in open_to_anyone} == {Access.ANYONE}
    assert {route.access for route in routes if route not in open_to_anyone} <= {*Permission, Access.MEMBER}
    # A ticket is new each time: a reply that is kept would be a second use. A preview changes nothing.
    others = (":ticket", "-preview")
    creating = [route for route in routes if route.method == "POST" and not route.path.endswith(others)]
    assert all(route.idempotent for route in creating if route not in by_secret)


def test_what_refers_to_a_record_is_found_by_an_index() -> None:
    """Otherwise each customer that changes hands or goes would be looked for in all contacts."""
    unfound = []
    for table in Base.metadata.tables.values():
        whole = [index for index in table.indexes if index.dialect_options["postgresql"]["where"] is None]
        keys = [table.primary_key, *whole, *(one for one in table.constraints if isinstance(one, UniqueConstraint))]
        first = {next(iter(key.columns)).name for key in keys if key.columns}
        unfound += [f"{table.name}.{key.parent.name}" for key in table.foreign_keys if key.parent.name not in first]

    assert unfound == []
