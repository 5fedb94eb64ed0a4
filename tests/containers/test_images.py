"""What is in the images of Highsea, and what is not."""

import os
import re
import subprocess
import sys
from functools import cache

import pytest

from deploy.images import names
from deploy.images.docker import INPUTS, docker, inspect
from deploy.images.servers import WHEELS
from tests.support.repository import ROOT, service_of

MEGABYTE = 1_000_000
each_service = pytest.mark.parametrize("service", names.SERVICES)
TOOLS = re.compile(
    r"/(gcc|g\+\+|cc|c\+\+|clang|ld|as|make|tcc|pip|pip3|uv|apt|apt-get|ensurepip|setuptools)(-[\d.]+)?$"
)
UNWANTED = re.compile(r"/(\.git|\.env|\.highsea|pip|setuptools|wheel|secrets|tests)(/|$)|\.(whl|key|pyx|c|h|o|a)$")
COMPILED = """
import pathlib
for source in pathlib.Path("/app").rglob("*.py"):
    compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-{sys.version_info[0]}{sys.version_info[1]}.pyc"
    if not compiled.exists() or compiled.read_bytes()[4] != 1:
        print(source)
"""


def _run(image: str, *command: str) -> str:
    """The output of a program in an image, under the conditions of our Pods."""
    options = ["--rm", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    return docker("run", *options, f"--entrypoint={command[0]}", image, *command[1:])


@cache
def _files(image: str) -> set[str]:
    return set(
        _run(image, "sh", "-c", "find / -xdev ! -path '/proc/*' ! -path '/sys/*' 2>/dev/null || true").splitlines()
    )


def _ours(image: str) -> dict:
    found = inspect(image)
    if INPUTS not in (found["Config"]["Labels"] or {}):
        pytest.skip(f"{image} is a public image")
    return found


@pytest.mark.parametrize("image", [*map(names.own, names.SERVICES), *map(names.chosen, WHEELS)])
def test_it_runs_as_nobody_in_particular_and_changes_nothing(image: str) -> None:
    assert _ours(image)["Config"]["User"] == "10001:10001"
    assert _run(image, "sh", "-c", "id -u; id -g; touch /tmp/file && echo /tmp") == "10001\n10001\n/tmp"
    # Even a root that can be written is not writable for this user.
    assert (
        docker("run", "--rm", "--entrypoint=find", image, "/usr", "/etc", "-xdev", "-writable", "!", "-type", "l") == ""
    )


@each_service
def test_an_image_adds_its_packages_to_the_base_and_nothing_else(service: str) -> None:
    added = _files(names.own(service)) - _files(names.chosen("base"))

    assert {path for path in added if not re.match(r"/app(/|$)|/var/lib/highsea$", path)} == set()
    assert f"/app/crm_{service}/__main__.py" in added
    assert {other for other in names.SERVICES if f"/app/crm_{other}" in added} == {service}
    assert [path for path in added if UNWANTED.search(path)] == []


@each_service
def test_nothing_of_it_can_be_written_but_the_object_store(service: str) -> None:
    command = ["--rm", "--entrypoint=find", names.own(service), "/app", "/var/lib/highsea", "-writable"]

    assert docker("run", *command) == "/var/lib/highsea"


@each_service
def test_all_bytecode_is_compiled_and_valid_whatever_the_times_of_files(service: str) -> None:
    assert _run(names.own(service), "python3", "-c", f"import sys{COMPILED}") == ""


@each_service
def test_it_knows_nothing_of_the_machine_that_built_it(service: str) -> None:
    assert _run(names.own(service), "sh", "-c", f"grep -rlF {ROOT} /app || true") == ""


@each_service
def test_every_role_and_command_is_in_the_same_image(service: str) -> None:
    known = service_of(f"crm_{service}")
    refused = subprocess.run(
        ["docker", "run", "--rm", names.own(service), "no-such-role"], capture_output=True, text=True, check=False
    )

    assert refused.returncode == 2
    assert "no-such-role" in refused.stderr
    assert [name for name in (*known.roles, *known.commands, "migrate") if name not in refused.stderr] == []


@each_service
def test_labels_and_environment_say_what_it_is_and_hold_no_secret(service: str) -> None:
    configuration = inspect(names.own(service))["Config"]
    base = inspect(names.chosen("base"))["Config"]["Env"] or []
    added = {line.split("=")[0] for line in set(configuration["Env"]) - set(base)} - {"PATH"}  # Docker's own

    assert configuration["Labels"]["org.opencontainers.image.title"] == f"highsea-{service}"
    assert re.fullmatch(r"\d+\.\d+\.\d+", configuration["Labels"]["org.opencontainers.image.version"])
    assert added == {
        *("SERVICE", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"),
        *("HTTP_BIND", "GRPC_BIND", "METRICS_BIND", "DRAIN_SECONDS"),
    }


@each_service
def test_it_is_small(service: str) -> None:
    assert inspect(names.own(service))["Size"] - inspect(names.chosen("base"))["Size"] < 180 * MEGABYTE


def test_the_services_share_the_layer_of_what_all_of_them_need() -> None:
    layers = [inspect(names.own(service))["RootFS"]["Layers"] for service in names.SERVICES]

    assert len({tuple(own[:-1]) for own in layers}) == 1
    assert len({own[-1] for own in layers}) == len(layers)


def test_our_base_is_small_and_can_neither_compile_nor_install() -> None:
    image = names.chosen("base")

    assert _ours(image)["Size"] < 100 * MEGABYTE
    assert [path for path in _files(image) if TOOLS.search(path)] == []


def test_a_second_build_makes_the_same_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    first = inspect(names.own("import"))
    monkeypatch.setenv("HIGHSEA_IMAGE_TAG", f"again-{os.getpid()}")
    again = names.own("import")
    try:
        subprocess.run([sys.executable, "-m", "deploy.images", "services", "import", "--anew"], cwd=ROOT, check=True)
        second = inspect(again)
    finally:
        docker("rmi", again)

    assert second["RootFS"]["Layers"] == first["RootFS"]["Layers"]
    assert second["Created"] != first["Created"]
