"""Every chart renders what Kubernetes takes, with every file of values it supports, in Helm 4 and in Helm 3."""

import pytest

from tests.charts import snapshot
from tests.charts.helm import built, cases, run
from tests.charts.schemas import problems
from tests.charts.tools import HELM3, HELM4

each_case = pytest.mark.parametrize("case", cases(), ids=str)


@each_case
def test_helm_has_nothing_to_criticise(case) -> None:
    run(HELM4, "lint", "--strict", "--quiet", str(built() / case.chart), f"--values={case.values}")


def test_every_object_is_valid() -> None:
    assert problems(one for case in cases() for one in case.render()) == []


@each_case
def test_helm_3_renders_the_same(case) -> None:
    assert snapshot.fixed(case.render(HELM3)) == snapshot.fixed(case.render())


def test_the_trial_renders_what_was_reviewed() -> None:
    assert snapshot.text() == snapshot.FILE.read_text(encoding="utf-8"), snapshot.REMEDY
