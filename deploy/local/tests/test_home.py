"""The folder ``.highsea``: what survives, who may read it, and what is refused."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from highsea_local import credentials, ports
from highsea_local.files import can_traverse, workspace
from highsea_local.home import Home, HomeDamaged, HomeInUse, HomeNewer
from highsea_local.spawn import User

NAMES = ["gateway", "postgres", "pool.serve.http"]


@pytest.fixture
def home() -> Iterator[Home]:
    with workspace() as folder:
        home = Home(folder / "home")
        home.prepare()
        yield home


def test_ports_are_the_same_after_a_restart(home: Home) -> None:
    first = home.allocate_ports(NAMES)
    for port in first.values():
        ports.release(port)

    assert home.allocate_ports(NAMES) == first


def test_port_that_was_taken_meanwhile_is_replaced(home: Home) -> None:
    first = home.allocate_ports(NAMES)  # still reserved by this test

    second = home.allocate_ports(NAMES)

    assert set(first.values()).isdisjoint(second.values())


def test_gateway_port_is_taken_as_given(home: Home) -> None:
    assert home.allocate_ports(NAMES, gateway_port=8123)["gateway"] == 8123


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 1, "version": "0.1.0", "ports": {"a": "b"}}', "null"])
def test_damaged_state_file_is_named(home: Home, text: str) -> None:
    home.state_file.write_text(text)

    with pytest.raises(HomeDamaged) as caught:
        home.state()
    assert caught.value.path == home.state_file


@pytest.mark.parametrize(("written_format", "version"), [(2, "0.1.0"), (1, "99.0.0")])
def test_folder_of_a_newer_release_is_refused(home: Home, written_format: int, version: str) -> None:
    home.state_file.write_text(json.dumps({"format": written_format, "version": version, "ports": {}}))

    with pytest.raises(HomeNewer, match=version):
        home.state()


def test_second_process_is_told_who_holds_the_folder(home: Home) -> None:
    with home.lock(), pytest.raises(HomeInUse), home.lock():
        pass
    with home.lock():
        pass


def test_logs_of_three_runs_are_kept(home: Home) -> None:
    for run in range(5):
        home.log("pool-serve").write_text(f"run {run}")
        home.rotate_logs()

    kept = {path.name: path.read_text() for path in home.logs.iterdir()}
    assert kept == {"pool-serve.log.1": "run 4", "pool-serve.log.2": "run 3", "pool-serve.log.3": "run 2"}


def test_secrets_are_private_and_survive_a_new_service(home: Home) -> None:
    first = credentials.load_or_create(home.secrets, ["pool"])

    second = credentials.load_or_create(home.secrets, ["pool", "import"])

    assert second.databases["pool"] == first.databases["pool"]
    assert second.key_encryption_key == first.key_encryption_key
    assert set(second.nats) == {"pool", "import", "admin"}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.secrets.iterdir()}
    assert set(modes.values()) == {0o600}
    assert set(modes) == {"secrets.json", "pool.key.json", "import.key.json", "services.jwks.json"}


def test_service_signs_what_the_public_keys_verify(home: Home) -> None:
    known = credentials.load_or_create(home.secrets, ["pool", "import"])
    private = ECKey.import_key(json.loads(known.key_file("pool").read_text()))
    published = json.loads(known.public_keys_file.read_text())

    token = jwt.encode({"alg": "ES256", "kid": "pool"}, {"sub": "pool"}, private)

    assert jwt.decode(token, KeySet.import_key_set(published), algorithms=["ES256"]).claims == {"sub": "pool"}
    assert all("d" not in key for key in published["keys"])


def test_damaged_secrets_are_never_replaced(home: Home) -> None:
    (home.secrets / "secrets.json").write_text("{")

    with pytest.raises(HomeDamaged, match=r"secrets\.json"):
        credentials.load_or_create(home.secrets, ["pool"])
    assert (home.secrets / "secrets.json").read_text() == "{"


def test_traversal_is_judged_by_the_folders_above() -> None:
    stranger = User(64_000, 64_000)
    with workspace() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0o700)

        assert can_traverse(folder / "data", stranger)
        assert not can_traverse(closed / "data", stranger)
        assert can_traverse(closed / "data", User(Path(closed).stat().st_uid, 0))
