"""One-shot commands of an operator: the first administrator, a new signing key."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import clock
from chassis.errors import Conflict, Refusal
from chassis.http.parsing import validate
from chassis.runtime import Runtime
from chassis.service import Command
from crm_identity.credentials import rules as secrets
from crm_identity.credentials.commands import keep_secret, make_link
from crm_identity.credentials.views import LinkView, link_view
from crm_identity.foundations import ensure_foundations
from crm_identity.keys.commands import rotate
from crm_identity.members.commands import create_member
from crm_identity.members.views import NewMember
from crm_identity.organisation.model import Role
from crm_identity.organisation.queries import has_administrator, root
from crm_identity.sessions.views import PasswordChange
from crm_identity.settings import settings_of


def create_administrator(runtime: Runtime, arguments: Sequence[str]) -> int:
    """`create-administrator --login … --name … --email … [--password-file …] [--force]` (design §6).

    Prints a link that sets the password, unless a file gives the first one, to be changed at the first login. Refused
    while an active administrator exists, unless forced.
    """
    parser = argparse.ArgumentParser(prog="python -m crm_identity create-administrator")
    for name in ("login", "name", "email"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument(
        "--password-file", type=Path, help="its content is the first password; default: a link to set one"
    )
    parser.add_argument("--force", action="store_true", help="even though there is an administrator")
    chosen = parser.parse_args(arguments)
    password = None
    if chosen.password_file:
        password = chosen.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        _check_password(chosen.login, password)
    wish = {"login": chosen.login, "name": chosen.name, "email": chosen.email}
    link = _create_administrator(runtime, wish, password, even_if_there_is_one=chosen.force)
    if link is None:
        raise Conflict("administrator_exists")
    if link.password_link:
        print(f"password link of {chosen.login}, until {link.expires_at:%Y-%m-%dT%H:%MZ}: {link.password_link}")
    return 0


def ensure_administrator(runtime: Runtime, _arguments: Sequence[str]) -> int:
    """The administrator whom ADMINISTRATOR_LOGIN and its companions name, while there is none (design §6)."""
    settings = settings_of(runtime)
    if not settings.administrator_login:
        return 0
    _check_password(settings.administrator_login, settings.administrator_password)
    wish = {
        "login": settings.administrator_login,
        "name": settings.administrator_name,
        "email": settings.administrator_email,
    }
    if _create_administrator(runtime, wish, settings.administrator_password) is not None:
        print(f"made the administrator {settings.administrator_login}")
    return 0


def rotate_key(runtime: Runtime, arguments: Sequence[str]) -> int:
    """`rotate-key`: publish a new signing key; it signs after a minute, the old one verifies for 24 hours more."""
    argparse.ArgumentParser(prog="python -m crm_identity rotate-key").parse_args(arguments)
    with runtime.database.transaction() as session:
        key = rotate(session, settings_of(runtime).sealing_key, clock.now())
    print(f"{key.id} signs from {key.signs_from.isoformat()}")
    return 0


def explaining(command: Command) -> Command:
    """`command`, but a refusal is said in words on standard error, with exit status 1."""

    def run(runtime: Runtime, arguments: Sequence[str]) -> int:
        try:
            return command(runtime, arguments)
        except Refusal as refusal:
            print(runtime.messages.text(refusal.code, "en", refusal.parameters), file=sys.stderr)
            for error in refusal.errors:
                words = runtime.messages.field_text(error.pointer, error.code, "en", error.parameters)
                print(f"{error.pointer.lstrip('/')}: {words}", file=sys.stderr)
        except OSError as error:
            print(error, file=sys.stderr)
        return 1

    return run


def _create_administrator(
    runtime: Runtime, wish: dict[str, str], password: str | None, *, even_if_there_is_one: bool = False
) -> LinkView | None:
    """None, and nothing done, when there is one already; else a link, empty when there is a password to be changed."""
    secret_hash = secrets.hash_secret(password) if password is not None else None
    with runtime.database.transaction() as session:
        at = clock.now()
        ensure_foundations(session, settings_of(runtime).sealing_key, at)
        if has_administrator(session) and not even_if_there_is_one:
            return None
        member = create_member(session, None, _administrator(session, wish))
        if secret_hash is None:
            return link_view(make_link(session, None, member.id, at), settings_of(runtime).public_url)
        keep_secret(session, member.id, secret_hash, at, must_change=True)
        return LinkView()


def _administrator(session: Session, wish: dict[str, str]) -> dict[str, Any]:
    department = root(session)
    assert department is not None, "foundations have a root"
    role_id = session.scalars(select(Role.id).where(Role.key == "administrator")).one()
    return validate(NewMember, {**wish, "department_id": department.id, "role_ids": [role_id]}).model_dump()


def _check_password(login: str, password: str) -> None:
    validate(PasswordChange, {"login": login, "password": "-", "new_password": password})
    secrets.check_new_password(login, "", password)
