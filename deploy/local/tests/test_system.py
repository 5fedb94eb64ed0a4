"""The whole system with stand-in services: start, addresses, kill and restart, stop, and nothing left behind."""

import json
import os
import signal
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from highsea_local.demo.gateway import until
from highsea_local.files import workspace
from highsea_local.runner import Failed
from highsea_local.system import System
from highsea_local.topology import PUSH, SERVE, WORK, Service
from highsea_local.units import Backoff, Report, State

from .standins import write_standins

SERVICES = (Service("pool"), Service("notify", roles=(SERVE, WORK, PUSH), needs=("smtp",)))
QUICK = Backoff(first=0.05, most=0.2)
HOLDER = """
import sys, time
from pathlib import Path
from highsea_local.system import System
from highsea_local.topology import Service
System(Path(sys.argv[1]), services=(Service("pool"),), is_durable=False,
       environment={"pool": {"PYTHONPATH": sys.argv[2]}}).start()
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with workspace() as path:
        yield path


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    return []


def build(folder: Path, reports: list[Report]) -> System:
    standins = folder / "standins"
    environment = {name: {"PYTHONPATH": str(standins)} for name in ("pool", "notify")}
    if not standins.exists():
        write_standins(standins, ("pool", "notify"))
    return System(
        folder / "home",
        services=SERVICES,
        is_durable=False,
        environment=environment,
        report=reports.append,
        backoff=QUICK,
    )


@pytest.fixture(scope="module")
def system(folder: Path, reports: list[Report]) -> Iterator[System]:
    with build(folder, reports) as running:
        yield running


def get(url: str) -> "dict[str, object]":
    answer = httpx.get(url, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def processes_of(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([*process.cmdline(), process.cwd()]):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_gateway_reaches_services_and_roles(system: System) -> None:
    claim = get(f"{system.gateway_url}/api/v1/assignments:claim")
    stream = get(f"{system.gateway_url}/api/v1/notifications/stream")
    document = get(f"{system.gateway_url}/api/v1/notify/openapi.json")

    assert (claim["service"], claim["role"]) == ("crm_pool", "serve")
    assert (stream["service"], stream["role"]) == ("crm_notify", "push")
    assert (document["service"], document["role"]) == ("crm_notify", "serve")


def test_service_is_told_everything_by_environment(system: System) -> None:
    seen = get(system.service_url("notify", PUSH))["environment"]
    assert isinstance(seen, dict)

    assert seen["DATABASE_URL"] == system.database_url("notify")
    assert seen["NATS_URL"] == system.nats_url("notify")
    assert seen["VALKEY_URL"] == system.valkey_url
    assert seen["OBJECT_STORE_URL"] == (system.home.objects / "notify").as_uri()
    assert seen["PUBLIC_URL"] == system.gateway_url
    assert seen["POOL_GRPC"] == system.grpc_address("pool")
    assert seen["HIGHSEA_DEMO"] == "1"
    assert seen["SMTP_URL"].startswith("smtp://127.0.0.1:")
    assert json.loads(Path(seen["SERVICE_KEY_FILE"]).read_text())["kid"] == "notify"
    assert "PYTHONDONTWRITEBYTECODE" not in seen
    binds = {get(f"{system.service_url(name, role)}")["environment"][kind]  # type: ignore[index]
             for name, role in (("pool", SERVE), ("pool", WORK), ("notify", PUSH))
             for kind in ("HTTP_BIND", "GRPC_BIND", "METRICS_BIND")}  # fmt: skip
    assert len(binds) == 9


def test_landing_page_and_mail_catcher_stand_behind_the_gateway(system: System) -> None:
    page = httpx.get(f"{system.gateway_url}/?lang=en", trust_env=False).text
    health = get(f"{system.gateway_url}/local/health")
    smtp = get(system.service_url("notify"))["environment"]["SMTP_URL"]  # type: ignore[index]
    with smtplib.SMTP("127.0.0.1", int(smtp.rpartition(":")[2])) as client:
        client.sendmail("a@example.com", ["b@example.com"], b"Subject: hello\r\n\r\ntext")
    mails = httpx.get(f"{system.mail_url}/api/messages", trust_env=False).json()

    assert "pool-serve" in page
    assert health["level"] == "green"
    assert [mail["subject"] for mail in mails] == ["hello"]


def test_roles_cannot_enter_each_others_databases(system: System) -> None:
    foreign = f"{system.database_url('pool').rpartition('/')[0]}/notify"

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(foreign)


def test_killed_service_comes_back(system: System) -> None:
    worker = system.process("pool-work")
    before, restarts = worker.pid, worker.restarts

    worker.kill()
    worker.wait_ready()

    assert worker.state is State.READY
    assert worker.pid != before
    assert worker.restarts == restarts + 1


def test_service_killed_for_good_waits_for_start(system: System) -> None:
    serve = system.process("pool-serve")

    serve.kill(restart=False)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{system.service_url('pool')}/livez", trust_env=False)
    serve.start()

    assert get(f"{system.service_url('pool')}/livez")["role"] == "serve"


def test_stopped_service_ended_cleanly(system: System) -> None:
    worker = system.process("notify-work")

    worker.stop()
    worker.stop()
    assert worker.state is State.STOPPED
    assert worker.log.read_text().endswith("ended cleanly\n")
    worker.start()

    assert worker.state is State.READY


@pytest.mark.parametrize("name", ["postgres", "nats", "valkey"])
def test_server_comes_back_with_its_data(system: System, name: str) -> None:
    server = system.process(name)

    server.kill()
    server.wait_ready()

    with psycopg.connect(system.database_url("pool")) as connection:
        assert connection.execute("SELECT count(*) >= 1 FROM starts").fetchone() == (True,)


def test_paused_broker_goes_on(system: System) -> None:
    broker = system.process("nats")
    process = psutil.Process(broker.pid)

    broker.pause()
    until(lambda: process.status() == psutil.STATUS_STOPPED)  # the kernel stops threads in its own time
    broker.resume()

    until(lambda: process.status() != psutil.STATUS_STOPPED)


def test_command_runs_in_the_environment_of_its_service(system: System) -> None:
    environment = system.environment("pool")

    assert environment["HTTP_BIND"] == system.service_url("pool").removeprefix("http://")
    assert system.run("pool", "greet", "you").stdout == "hello you pool\n"


def test_unknown_names_are_errors(system: System) -> None:
    with pytest.raises(KeyError):
        system.process("nobody")
    with pytest.raises(KeyError):
        system.service_url("nobody")


def test_data_secrets_and_ports_survive_a_restart_of_everything() -> None:
    with workspace() as folder:
        reports: list[Report] = []
        with build(folder, reports) as first:
            urls = first.database_url("pool"), first.service_url("notify"), first.gateway_url
        assert processes_of(folder) == []

        with build(folder, reports) as second:
            assert (second.database_url("pool"), second.service_url("notify"), second.gateway_url) == urls
            with psycopg.connect(second.database_url("pool")) as connection:
                assert connection.execute("SELECT count(*) FROM starts").fetchone() == (2,)


def test_failed_migration_stops_what_runs_and_shows_its_log() -> None:
    with workspace() as folder:
        broken = folder / "standins" / "crm_pool"
        broken.mkdir(parents=True)
        (broken / "__init__.py").touch()
        (broken / "__main__.py").write_text("raise SystemExit('column is missing')")
        environment = {"pool": {"PYTHONPATH": str(broken.parent)}}
        system = System(folder / "home", services=(Service("pool"),), is_durable=False, environment=environment)

        with pytest.raises(Failed, match="pool-migrate: ended with exit code 1") as caught:
            system.start()

        assert caught.value.last_lines == ["column is missing"]
        assert processes_of(folder) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends children with their parent")
def test_nothing_survives_a_kill_of_the_supervisor() -> None:
    with workspace() as folder:
        write_standins(folder / "standins", ("pool",))
        arguments = [sys.executable, "-c", HOLDER, str(folder / "home"), str(folder / "standins")]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "started\n"
            children = psutil.Process(holder.pid).children(recursive=True)
            assert children
            holder.kill()

        _, alive = psutil.wait_procs(children, timeout=30)
        assert alive == []


def test_interrupt_during_the_start_leaves_nothing() -> None:
    # A test run in the background of a script inherits an ignored SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with workspace() as folder:
        write_standins(folder / "standins", ("pool", "notify"))
        once = threading.Event()

        def interrupt(report: Report) -> None:
            if report.name == "databases" and report.state is State.DONE and not once.is_set():
                once.set()
                os.kill(os.getpid(), signal.SIGINT)

        environment = {name: {"PYTHONPATH": str(folder / "standins")} for name in ("pool", "notify")}
        system = System(folder / "home", services=SERVICES, is_durable=False, environment=environment, report=interrupt)

        try:
            with pytest.raises(KeyboardInterrupt):
                system.start()
        finally:
            signal.signal(signal.SIGINT, before)

        assert processes_of(folder) == []
