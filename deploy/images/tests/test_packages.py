"""Which packages go into which image."""

import pytest

from deploy.images import names
from deploy.images.servers import WHEELS
from deploy.images.services import shared_requirements
from deploy.images.wheels import requirements


def test_every_requirement_has_hashes() -> None:
    for lock in ("run", *names.SERVICES):
        assert [line for line in requirements(lock) if "--hash=sha256:" not in line] == []


def test_what_all_services_need_is_shared_and_nothing_else() -> None:
    shared = shared_requirements()

    for service in names.SERVICES:
        assert shared <= set(requirements(service))
    assert {line.split("==")[0] for line in set(requirements("import")) - shared} >= {"openpyxl", "python-calamine"}


@pytest.mark.parametrize("wheel", WHEELS.values())
def test_servers_come_from_the_wheels_that_make_run_uses(wheel: str) -> None:
    assert [line for line in requirements("run") if line.startswith(f"{wheel}==")]


def test_names_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIGHSEA_IMAGE_PREFIX", "registry.example/crm/")
    monkeypatch.setenv("HIGHSEA_IMAGE_TAG", "1.2.3")
    monkeypatch.setenv("HIGHSEA_NATS_IMAGE", "nats:alpine")
    monkeypatch.delenv("HIGHSEA_BASE_IMAGE", raising=False)

    assert names.own("pool") == "registry.example/crm/pool:1.2.3"
    assert names.chosen("nats") == "nats:alpine"
    assert names.chosen("base") == names.PUBLIC["base"]
