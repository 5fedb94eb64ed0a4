"""The main job in steps: import into the public pool, claim, be refused, assign, be told."""

from dataclasses import dataclass
from typing import Any

import httpx

from highsea_local.demo.gateway import Person, Refused, until

FINISHED = ("finished", "failed", "cancelled")


@dataclass(frozen=True)
class Imported:
    """A finished import and its error workbook."""

    job: dict[str, Any]
    error_workbook: bytes


def public_pool(person: Person) -> dict[str, Any]:
    """The first public pool."""
    pools = person.get("/pools", page_size=200)["items"]
    return next(pool for pool in pools if pool["kind"] == "public")


def import_workbook(person: Person, file_name: str, content: bytes, pool_id: str, seconds: float = 180) -> Imported:
    """Upload, keep the guessed mapping, run into the pool, wait for the end. Raises Refused, TimeoutError."""
    job = person.upload("/imports", file_name, content)
    return run_import(person, job, {"mode": "create_only", "target_pool_id": pool_id}, seconds)


def run_import(
    person: Person, job: dict[str, Any], settings: dict[str, Any], seconds: float = 180, *, errors: bool = True
) -> Imported:
    """Run an uploaded file with the guessed mapping and these settings; wait for the end. `errors`: fetch the error list.

    Raises Refused, TimeoutError.
    """
    start_import(person, job, settings)

    def finished() -> dict[str, Any] | None:
        now: dict[str, Any] = person.get(f"/imports/{job['id']}")
        return now if now["status"] in FINISHED else None

    ended = until(finished, seconds)
    return Imported(ended, person.download(f"/imports/{job['id']}/errors.xlsx") if errors else b"")


def start_import(person: Person, job: dict[str, Any], settings: dict[str, Any]) -> None:
    """Start an uploaded file with the guessed mapping and these settings. Raises Refused."""
    mapping = [
        {"column": column["index"], "field": column["field"]}
        for column in job["columns"]
        if column["field"] is not None
    ]
    person.patch(f"/imports/{job['id']}", {"mapping": mapping, **settings}, job["version"])
    person.post(f"/imports/{job['id']}:start")


def placed(person: Person, customer_ids: list[str]) -> None:
    """Wait until pool has read of customers just imported, which the person sees. Raises TimeoutError."""
    for id_ in customer_ids:
        until(lambda id_=id_: person.get(f"/assignments/{id_}"))  # type: ignore[misc]


def claim(person: Person, customer_ids: list[str]) -> dict[str, Any]:
    """Claim customers out of a pool. Raises Refused for a single one."""
    answer: dict[str, Any] = person.post("/assignments:claim", {"customer_ids": customer_ids})
    return answer


def refused_claim(person: Person, customer_id: str) -> Refused:
    """Try to claim what another owns; the refusal. Raises AssertionError when it succeeds."""
    try:
        claim(person, [customer_id])
    except Refused as refusal:
        return refusal
    raise AssertionError("claimed what another owns")


def assign(person: Person, customer_ids: list[str], members: list[Person]) -> dict[str, Any]:
    """Assign customers to members in turn, told in the app and by e-mail."""
    answer: dict[str, Any] = person.post(
        "/assignments:assign",
        {
            "customer_ids": customer_ids,
            "member_ids": [member.id for member in members],
            "notify": {"in_app": True, "email": True},
        },
    )
    return answer


def unread(person: Person, at_least: int = 1) -> list[dict[str, Any]]:
    """The newest of the person's unread notifications, once there are as many in all. Raises TimeoutError."""

    def found() -> list[dict[str, Any]] | None:
        page = person.get("/notifications", unread="true")
        return page["items"] if page["total"] >= at_least else None

    notifications: list[dict[str, Any]] = until(found)
    return notifications


def mails_to(gateway_url: str, address: str) -> list[dict[str, Any]]:
    """The mails the catcher holds for an address now, newest first."""
    answer = httpx.get(f"{gateway_url}/local/mail/api/messages", trust_env=False, timeout=10).json()
    items = answer["items"] if isinstance(answer, dict) else answer
    return [mail for mail in items if address in str(mail["to"])]


def told_by_mail(gateway_url: str, address: str, at_least: int = 1) -> list[dict[str, Any]]:
    """Those mails once there are as many. Raises TimeoutError."""

    def found() -> list[dict[str, Any]] | None:
        mails = mails_to(gateway_url, address)
        return mails if len(mails) >= at_least else None

    mails: list[dict[str, Any]] = until(found)
    return mails
