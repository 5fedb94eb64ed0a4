"""After a restore: what the service says now wins over everything it said before."""

from typing import Any

import pytest
from sqlalchemy import select

from chassis.database.epochs import EPOCH
from chassis.identifiers import new_id
from chassis.roles.commands import raise_epoch_command
from libs.chassis.tests.sample import SAMPLE, Note
from tests.support.services import OpenService


def _versions(sample: OpenService) -> list[int]:
    with sample.database.reading() as session:
        return list(session.scalars(select(Note.version).order_by(Note.version)))


def _raise(sample: OpenService, capsys: Any) -> tuple[int, str]:
    name = sample.database.url.rpartition("/")[2]
    status = raise_epoch_command(SAMPLE, sample.runtime, [name])
    told = capsys.readouterr()
    return status, (told.out + told.err).replace(name, "it")


def test_every_version_is_lifted_above_all_of_the_epoch_before_and_again_the_next_time(
    sample: OpenService, capsys: pytest.CaptureFixture[str]
) -> None:
    with sample.database.transaction() as session:
        session.add_all(Note(id=new_id(), text="t", version=version) for version in (1, 41))
    sample.database.close()

    assert _raise(sample, capsys) == (0, "notes.version: 2 rows, now up to epoch 1\n")
    assert _versions(sample) == [EPOCH + 1, EPOCH + 41]
    sample.database.close()
    assert _raise(sample, capsys) == (0, "notes.version: 2 rows, now up to epoch 2\n")
    assert _versions(sample) == [2 * EPOCH + 1, 2 * EPOCH + 41]


def test_it_is_refused_while_processes_of_the_service_are_connected(
    sample: OpenService, capsys: pytest.CaptureFixture[str]
) -> None:
    with sample.database.transaction() as session:
        session.add(Note(id=new_id(), text="t", version=1))
        session.flush()
        status, told = _raise(sample, capsys)

    assert (status, told) == (1, "it: 1 connections of customer's processes; end these first\n")
    assert _versions(sample) == [1]


def test_a_database_that_does_not_exist_is_named(sample: OpenService, capsys: pytest.CaptureFixture[str]) -> None:
    assert raise_epoch_command(SAMPLE, sample.runtime, ["no_such"]) == 1
    assert 'database "no_such" does not exist' in capsys.readouterr().err
