"""Deleting the data of `make run`."""

from pathlib import Path

import pytest

from highsea_local.home import Home, HomeInUse
from highsea_local.reset import reset


def _used(folder: Path) -> Home:
    home = Home(folder / "home")
    home.prepare()
    home.allocate_ports(["postgres"])
    (home.data / "nats").mkdir()
    return home


def test_what_is_ours_is_deleted_and_the_rest_of_the_folder_stays(tmp_path: Path) -> None:
    home = _used(tmp_path)
    (home.path / "letter.txt").write_text("mine")

    assert reset(home)

    assert {path.name for path in home.path.iterdir()} == {"letter.txt", "lock"}


def test_a_cluster_that_lies_elsewhere_is_deleted_too(tmp_path: Path) -> None:
    home = _used(tmp_path)
    elsewhere = tmp_path / "elsewhere" / "cluster"
    elsewhere.mkdir(parents=True)
    (home.data / "postgres").symlink_to(elsewhere)

    assert reset(home)

    assert not elsewhere.parent.exists()


def test_nothing_is_deleted_while_it_runs(tmp_path: Path) -> None:
    home = _used(tmp_path)

    with home.lock(), pytest.raises(HomeInUse):
        reset(home)

    assert home.data.exists()


def test_a_folder_that_was_never_used_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    assert not reset(Home(tmp_path))

    assert (tmp_path / "data").exists()
