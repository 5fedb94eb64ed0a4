"""The demo organisation: departments of two regions, a member of every role, and a user group."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chassis import clock
from chassis.runtime import Runtime
from crm_identity.credentials import rules as secrets
from crm_identity.credentials.commands import keep_secret
from crm_identity.departments.commands import create_department
from crm_identity.foundations import ROOT_NAME, ensure_foundations
from crm_identity.groups.commands import create_group
from crm_identity.members.commands import create_member
from crm_identity.organisation import commands, queries
from crm_identity.organisation.model import Department, Group, Member, Role
from crm_identity.settings import Settings, settings_of

PASSWORD = "highsea-demo-1"  # noqa: S105 - known to everybody, which is why it is refused beyond loopback


class Person(NamedTuple):
    """A demo member; `role` is the key of a built-in role."""

    login: str
    name: str
    role: str
    department: str


# Department, the one above it, and its head.
DEPARTMENTS = (
    ("华东大区", ROOT_NAME, "liu.fang"),
    ("上海销售部", "华东大区", "sun.li"),
    ("杭州销售部", "华东大区", "liu.fang"),
    ("华南大区", ROOT_NAME, "huang.wei"),
    ("深圳销售部", "华南大区", "huang.wei"),
)
PEOPLE = (
    Person("admin", "周建国", "administrator", ROOT_NAME),
    Person("chen.ops", "陈思远", "operations", ROOT_NAME),
    Person("liu.fang", "刘芳", "supervisor", "华东大区"),
    Person("sun.li", "孙丽", "supervisor", "上海销售部"),
    Person("huang.wei", "黄伟", "supervisor", "华南大区"),
    Person("zhang.wei", "张伟", "sales", "上海销售部"),
    Person("wang.min", "王敏", "sales", "杭州销售部"),
    Person("lin.xiaofeng", "林晓峰", "sales", "深圳销售部"),
)
# Who looks after customers of two regions together (H-11).
GROUP, GROUP_LOGINS = "连锁零售组", ("wang.min", "lin.xiaofeng")


def seed_demo(runtime: Runtime, arguments: Sequence[str]) -> int:
    """`seed-demo`: create what is missing of the demo organisation and print its members as JSON.

    Refused unless HIGHSEA_DEMO=1 and nobody but this machine can reach the service.
    """
    argparse.ArgumentParser(prog="python -m crm_identity seed-demo").parse_args(arguments)
    settings = settings_of(runtime)
    if not (settings.highsea_demo and _is_loopback_only(settings)):
        print("seed-demo needs HIGHSEA_DEMO=1, and PUBLIC_URL and HTTP_BIND on a loopback address", file=sys.stderr)
        return 1
    hashes = {person.login: secrets.hash_secret(PASSWORD) for person in PEOPLE}
    with runtime.database.transaction() as session:
        _seed(session, hashes, settings.sealing_key, clock.now())
    print(json.dumps([person._asdict() for person in PEOPLE], ensure_ascii=False))
    return 0


def _seed(session: Session, hashes: dict[str, str], sealing_key: bytes, at: datetime) -> None:
    ensure_foundations(session, sealing_key, at)
    root = queries.root(session)
    assert root is not None, "foundations have a root"
    places = {ROOT_NAME: root}
    for name, above, _ in DEPARTMENTS:
        places[name] = _department(session, name, places[above].id)
    for person in PEOPLE:
        _member(session, person, places[person.department].id, hashes[person.login], at)
    for name, head in ((ROOT_NAME, "admin"), *((name, head) for name, _, head in DEPARTMENTS)):
        if places[name].head_id is None:
            head_id = session.scalars(select(Member.id).where(Member.login == head)).one()
            commands.record(session, "changed", None, places[name], places[name].take_over({"head_id": head_id}))
    if session.scalar(select(Group.id).where(Group.name == GROUP)) is None:
        member_ids = list(session.scalars(select(Member.id).where(Member.login.in_(GROUP_LOGINS), Member.active)))
        create_group(session, None, {"name": GROUP, "member_ids": member_ids})


def _department(session: Session, name: str, parent_id: UUID) -> Department:
    known = session.scalar(select(Department).where(Department.parent_id == parent_id, Department.name == name))
    return known or create_department(session, None, {"name": name, "parent_id": parent_id})


def _member(session: Session, person: Person, department_id: UUID, secret_hash: str, at: datetime) -> None:
    if session.scalar(select(Member.id).where(Member.login == person.login)):
        return
    values: dict[str, Any] = {
        "login": person.login,
        "name": person.name,
        "email": f"{person.login}@demo.highsea.test",
        "phone": None,
        "department_id": department_id,
        "role_ids": [session.scalars(select(Role.id).where(Role.key == person.role)).one()],
        "language": "zh-CN",
        "service_account": False,
    }
    keep_secret(session, create_member(session, None, values).id, secret_hash, at, must_change=False)


def _is_loopback_only(settings: Settings) -> bool:
    hosts = (urlsplit(settings.public_url).hostname, urlsplit(f"//{settings.http_bind}").hostname)
    return all(host is not None and _is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
