"""Python packages on their way into an image: locked ones with their hashes checked, and our own."""

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.images.docker import docker
from deploy.images.names import ROOT

UV = Path(sys.prefix) / "bin" / "uv"
# What no service needs to run: programs with this machine's paths in them, sources of what is compiled, tests, and
# notes of the installer.
SUPERFLUOUS = (
    "tests",
    "*.pyi",
    "*.pyx",
    "*.pxd",
    "*.c",
    "*.h",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
)


@dataclass(frozen=True)
class Platform:
    """The Python of a base image."""

    python: str
    machine: str


def platform_of(image: str) -> Platform:
    """Asks an image for its Python."""
    question = "import platform; print(platform.python_version(), platform.machine())"
    return Platform(*docker("run", "--rm", "--entrypoint=python3", image, "-c", question).split())


def requirements(lock: str) -> list[str]:
    """The requirements of a lock file, each with its hashes."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    return re.split(r"\n(?=\S)", text.strip())


def install(chosen: Iterable[str], platform: Platform, target: Path) -> None:
    """Unpacks locked packages for a platform into a folder. Their hashes are checked; nothing of them is run."""
    command = [str(UV), "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += [f"--python-version={platform.python}", f"--python-platform={platform.machine}-manylinux_2_28"]
    command += ["--link-mode=copy", f"--target={target}", "--requirements=-"]
    subprocess.run(command, input="\n".join(sorted(chosen)), text=True, check=True)


def prune(folder: Path) -> None:
    """Deletes what installed packages carry but no service needs."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for pattern in SUPERFLUOUS:
        for path in list(folder.rglob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def build_own(target: Path) -> None:
    """Builds every package of this repository as a wheel in a folder."""
    command = [str(UV), "build", "--quiet", "--wheel", "--all-packages", "--no-build-isolation"]
    subprocess.run([*command, f"--python={sys.executable}", f"--out-dir={target}", str(ROOT)], check=True)


def unpack(wheels: Iterable[Path], target: Path) -> None:
    """Unpacks wheels that hold nothing but Python."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
