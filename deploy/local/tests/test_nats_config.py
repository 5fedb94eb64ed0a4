"""The NATS configuration as text: who may publish what. The same is tried on a real server in test_servers.py."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from chassis.events.streams import dead_letter_subject
from highsea_local.servers.nats_config import NatsUser, configuration, publish_subjects, service_users

OWN = {
    "identity": ("crm.identity.v1.member_changed", "CRM_IDENTITY"),
    "customer": ("crm.customer.v1.customer_created", "CRM_CUSTOMER"),
    "pool": ("crm.pool.v1.customer_claimed", "CRM_POOL"),
    "import": ("crm.imports_work.v1.chunk", "CRM_IMPORTS_WORK"),
    "notify": ("crm.push.member", "CRM_NOTIFY"),
}


def user(name: str) -> NatsUser:
    (found,) = service_users({name: "secret"})
    return found


def may_publish(name: str, subject: str) -> bool:
    """NATS's own matching, near enough: ``>`` stands for the rest, ``*`` for one word."""
    return any(
        fnmatchcase(subject, pattern.replace(">", "*")) if pattern.endswith(">") else _same_words(pattern, subject)
        for pattern in publish_subjects(user(name))
    )


def _same_words(pattern: str, subject: str) -> bool:
    expected, words = pattern.split("."), subject.split(".")
    return len(expected) == len(words) and all(one in ("*", word) for one, word in zip(expected, words, strict=True))


def parsed(*users: NatsUser) -> Any:
    return json.loads(configuration(users, port=4222, monitor_port=8222, store_dir="/data/nats"))


@pytest.mark.parametrize("name", OWN)
def test_service_publishes_its_own_subjects_and_no_others(name: str) -> None:
    for owner, (subject, _) in OWN.items():
        assert may_publish(name, subject) == (owner == name)
        assert may_publish(name, dead_letter_subject(f"{owner}-directory")) == (owner == name)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("verb", ["CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE"])
def test_service_changes_its_own_stream_and_the_dead_letters_only(name: str, verb: str) -> None:
    for owner, (_, stream) in OWN.items():
        assert may_publish(name, f"$JS.API.STREAM.{verb}.{stream}") == (owner == name)
    assert may_publish(name, f"$JS.API.STREAM.{verb}.CRM_DLQ")


@pytest.mark.parametrize("name", OWN)
def test_service_reads_every_stream_and_acknowledges(name: str) -> None:
    for subject in (
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.CRM_CUSTOMER",
        "$JS.API.CONSUMER.CREATE.CRM_CUSTOMER.pool-facts.crm.customer.v1.x",
        "$JS.API.CONSUMER.DURABLE.CREATE.CRM_CUSTOMER.pool-facts",
        "$JS.API.CONSUMER.MSG.NEXT.CRM_CUSTOMER.pool-facts",
        "$JS.API.STREAM.MSG.GET.CRM_DLQ",
        "$JS.ACK.CRM_CUSTOMER.pool-facts.1.2.3.4.5",
    ):
        assert may_publish(name, subject), subject


def test_only_notify_hears_the_push_subjects() -> None:
    entries = {entry["user"]: entry for entry in parsed(*map(user, OWN))["authorization"]["users"]}

    listening = [name for name, entry in entries.items() if "crm.push.>" in entry["permissions"]["subscribe"]]
    assert listening == ["notify"]


def test_administrator_is_not_limited() -> None:
    assert parsed(user("admin"))["authorization"]["users"] == [{"user": "admin", "password": "secret"}]


def test_server_listens_on_loopback_and_stores_in_files() -> None:
    settings = parsed(user("admin"))

    assert (settings["listen"], settings["http"]) == ("127.0.0.1:4222", "127.0.0.1:8222")
    assert settings["jetstream"]["store_dir"] == "/data/nats"


def test_unknown_user_is_an_error() -> None:
    with pytest.raises(KeyError):
        service_users({"stranger": "secret"})
