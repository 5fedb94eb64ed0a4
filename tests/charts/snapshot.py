"""What the umbrella renders with its trial values, in one file that a review can read.

`python -m tests.charts.snapshot` writes it anew.
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.charts.helm import CHARTS, Object, name, render

FILE = Path(__file__).parent / "snapshot.yaml"
REMEDY = "if this change is meant, run `.venv/bin/python -m tests.charts.snapshot` and review its difference"


def fixed(objects: Sequence[Object]) -> list[Object]:
    """The same each time: in order, without the values of Secrets, which are generated."""
    ordered = sorted(objects, key=lambda one: (one["kind"], name(one)))
    return [_without_values(one) if one["kind"] == "Secret" else one for one in ordered]


def _without_values(secret: Object) -> Object:
    return {key: sorted(value) if key in {"data", "stringData"} else value for key, value in secret.items()}


def text() -> str:
    """The file as it should be."""
    objects = fixed(render("highsea", CHARTS / "highsea/ci/trial-values.yaml"))
    return yaml.safe_dump_all(objects, sort_keys=True, width=120, allow_unicode=True)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
