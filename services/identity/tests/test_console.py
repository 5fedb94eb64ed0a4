"""One-shot commands of an operator."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from chassis.roles import main
from chassis.roles.commands import migrate_command
from crm_identity.organisation.model import Member
from crm_identity.service import SERVICE
from tests.support.services import OpenService


def run(opened: OpenService, command: str, *arguments: str) -> int:
    return SERVICE.commands[command](opened.runtime, arguments)


def log_in(opened: OpenService, login: str, password: str) -> Any:
    return opened.client.post("/api/v1/auth/login", json={"login": login, "password": password})


ADMINISTRATOR = ("--login", "Root", "--name", "李总", "--email", "root@example.test")


def test_the_first_administrator_gets_a_link_and_may_then_manage(
    bare: OpenService, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bare, "create-administrator", *ADMINISTRATOR) == 0

    link = capsys.readouterr().out.strip().rpartition(" ")[2]
    assert link.startswith("http://127.0.0.1:8080/api/v1/auth/password#")
    body = {"token": link.partition("#")[2], "new_password": "long enough"}
    reply = bare.client.post("/api/v1/auth/password:redeem", json=body).json
    assert reply["member"]["login"] == "root"
    headers = {"Authorization": f"Bearer {reply['access_token']}"}
    assert bare.client.get("/api/v1/roles", headers=headers).status_code == 200


def test_a_second_administrator_is_made_only_by_force(
    bare: OpenService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "password"
    secret.write_text("from a Kubernetes secret\n", encoding="utf-8")
    assert run(bare, "create-administrator", *ADMINISTRATOR, "--password-file", str(secret)) == 0
    assert log_in(bare, "root", "from a Kubernetes secret").json["code"] == "password_change_required"
    assert capsys.readouterr().out == ""

    second = ("--login", "second", *ADMINISTRATOR[2:])
    assert run(bare, "create-administrator", *second) == 1
    assert "already" in capsys.readouterr().err
    assert run(bare, "create-administrator", *second, "--force") == 0
    assert run(bare, "create-administrator", *second, "--force") == 1
    assert "second is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--login", "r", *ADMINISTRATOR[2:]), "login: An account has at least 2"),
        ((*ADMINISTRATOR[:4], "--email", "nobody"), "email: The e-mail address is not valid"),
        ((*ADMINISTRATOR, "--password-file", "/nowhere"), "No such file"),
    ],
)
def test_a_wrong_argument_is_explained(
    bare: OpenService, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert run(bare, "create-administrator", *arguments) == 1

    assert words in capsys.readouterr().err


def test_the_demo_has_a_member_of_every_role_who_can_log_in(
    open_identity: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_identity(highsea_demo=True) as opened:
        assert run(opened, "seed-demo") == 0
        people = json.loads(capsys.readouterr().out)
        assert run(opened, "seed-demo") == 0
        assert json.loads(capsys.readouterr().out) == people

        assert [set(person) for person in people] == [{"login", "name", "role", "department"}] * 8
        assert {person["role"] for person in people} == {"administrator", "operations", "supervisor", "sales"}
        reply = log_in(opened, "chen.ops", "highsea-demo-1").json
        assert reply["member"]["email"] == "chen.ops@demo.highsea.test"
        headers = {"Authorization": f"Bearer {reply['access_token']}"}
        departments = opened.client.get("/api/v1/departments", headers=headers).json["items"]
        assert len(departments) == 6
        assert all(department["head_id"] for department in departments)
        [group] = opened.client.get("/api/v1/groups", headers=headers).json["items"]
        assert {member["name"] for member in group["members"]} == {"王敏", "林晓峰"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"highsea_demo": True, "public_url": "https://crm.example.com"},
        {"highsea_demo": True, "http_bind": "0.0.0.0:8000"},
        {"highsea_demo": True, "http_bind": ":8000"},
    ],
)
def test_demo_data_is_refused_where_others_could_log_in(open_identity: Any, settings: dict[str, Any]) -> None:
    with open_identity(**settings) as opened:
        assert run(opened, "seed-demo") == 1

        with opened.database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Member)) == 0


def test_a_key_is_rotated_by_command(bare: OpenService, capsys: pytest.CaptureFixture[str]) -> None:
    assert [run(bare, "rotate-key"), run(bare, "rotate-key")] == [0, 0]

    assert "signs from" in capsys.readouterr().out
    assert len(bare.client.get("/api/v1/auth/jwks").json["keys"]) == 2


def test_a_missing_or_malformed_sealing_key_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DATABASE_URL", "NATS_URL", "SERVICE_KEY", "SERVICE_KEYS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KEY_ENCRYPTION_KEY", "too short")
    monkeypatch.setenv("GATEWAY_NETWORKS", "everywhere")

    with pytest.raises(SystemExit) as ended:
        main(SERVICE, ["rotate-key"])

    assert ended.value.code == 2
    errors = capsys.readouterr().err
    assert "KEY_ENCRYPTION_KEY" in errors
    assert "openssl rand -base64 32" in errors
    assert "GATEWAY_NETWORKS" in errors


def test_migrate_makes_the_first_administrator_once_and_explains_a_wrong_wish(
    open_identity: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = {"administrator_login": "root", "administrator_name": "李总", "administrator_email": "root@example.test"}
    with open_identity(**wish, administrator_password="short") as opened:
        assert migrate_command(SERVICE, opened.runtime, ()) == 1
        assert "new_password:" in capsys.readouterr().err

    with open_identity(**wish, administrator_password="from a secret") as opened:
        assert [migrate_command(SERVICE, opened.runtime, ()) for _ in range(2)] == [0, 0]
        assert log_in(opened, "root", "from a secret").json["code"] == "password_change_required"
        assert capsys.readouterr().out == "made the administrator root\n"
