"""Objects against the schemas of their kinds, unknown fields refused, no kind skipped."""

import json
import subprocess
from collections.abc import Iterable

import kubernetes_validate

from tests.charts.helm import Object, name
from tests.charts.tools import MODELS

KUBERNETES = "1.37"


def problems(objects: Iterable[Object]) -> list[str]:
    """A sentence for each thing wrong. Each distinct object is looked at once."""
    distinct = {json.dumps(thing, sort_keys=True): thing for thing in objects}.values()
    found, foreign = [], []
    for thing in distinct:
        try:
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            foreign.append(thing)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{thing['kind']} {name(thing)}: {error.json_path} {error.message}")
    return found + _foreign_problems(foreign)


def _foreign_problems(objects: list[Object]) -> list[str]:
    """By npm's models, all in one process. They refuse a kind that they do not know either."""
    done = subprocess.run(
        ["node", "validate.mjs"], cwd=MODELS, input=json.dumps(objects), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
