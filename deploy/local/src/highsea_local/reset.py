"""``make demo-reset``: deletes what ``make run`` keeps, and nothing else that may lie in the same folder."""

import shutil
import sys
from pathlib import Path

from highsea_local.home import Home, HomeInUse, default_home


def reset(home: Home) -> bool:
    """Deletes the data of a home; False when there is none. Raises HomeInUse while it runs, OSError."""
    if not home.state_file.exists():
        return False
    with home.lock():
        cluster = home.data / "postgres"
        if cluster.is_symlink():  # as root the cluster may lie elsewhere, alone in a folder of its own
            _delete(cluster.resolve().parent)
        for folder in (home.data, home.objects, home.secrets, home.logs, home.mail, home.run, home.demo):
            _delete(folder)
        for file in (home.demo_report, home.state_file):
            file.unlink(missing_ok=True)
    return True


def _delete(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def main() -> int:
    """Returns 0, or 1 when the system runs or something cannot be deleted."""
    home = Home(default_home())
    try:
        print(f"deleted the data in {home.path}" if reset(home) else f"there is no data in {home.path}")
    except HomeInUse as error:
        print(
            f"Highsea runs from {home.path} (process {error.pid}): stop it first. 请先停止正在运行的系统。",
            file=sys.stderr,
        )
        return 1
    except OSError as error:
        print(f"{error.filename} cannot be deleted: {error.strerror}. 无法删除。", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
