"""The same content is the same context, whoever writes it, whenever and wherever."""

import os
from pathlib import Path

import pytest

from deploy.images.context import digest, normalise


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "app/inner").mkdir(parents=True)
    (folder / "app/inner/module.py").write_text("x = 1\n")
    (folder / "app/entrypoint.sh").write_text("exit 0\n")
    (folder / "app/link").symlink_to("inner")
    return folder


def test_the_time_and_the_umask_of_whoever_builds_are_gone(context: Path) -> None:
    (context / "app/inner").chmod(0o700)
    (context / "app/inner/module.py").chmod(0o600)
    (context / "app/entrypoint.sh").chmod(0o700)

    normalise(context)

    assert {path.lstat().st_mtime for path in (context, *context.rglob("*"))} == {0}
    modes = {path.name: path.lstat().st_mode & 0o777 for path in context.rglob("*") if not path.is_symlink()}
    assert modes == {"app": 0o755, "inner": 0o755, "module.py": 0o644, "entrypoint.sh": 0o755}


def test_the_hash_knows_no_times_and_no_place(context: Path, tmp_path: Path) -> None:
    before = digest(context, "base")
    os.utime(context / "app/inner/module.py", (7, 7))

    moved = context.rename(tmp_path / "elsewhere")

    assert digest(moved, "base") == before
    assert digest(moved, "another base") != before


def _edit(context: Path) -> None:
    (context / "app/inner/module.py").write_text("x = 2\n")


def _add(context: Path) -> None:
    (context / "app/new.py").touch()


def _move(context: Path) -> None:
    (context / "app/inner/module.py").rename(context / "app/module.py")


def _make_executable(context: Path) -> None:
    (context / "app/inner/module.py").chmod(0o755)


def _point_elsewhere(context: Path) -> None:
    (context / "app/link").unlink()
    (context / "app/link").symlink_to("other")


@pytest.mark.parametrize("change", [_edit, _add, _move, _make_executable, _point_elsewhere])
def test_every_change_changes_the_hash(context: Path, change) -> None:
    before = digest(context)

    change(context)

    assert digest(context) != before
