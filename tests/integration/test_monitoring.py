"""Alerts, dashboards and the guide ask for what the running system really measures."""

import re
from collections.abc import Iterator

import grpc
import pytest

from tests.support.monitoring import grouped_by, queries, rules, selectors
from tests.support.scrape import Scraped

pytestmark = pytest.mark.system

# Of Prometheus, of kube-state-metrics, of the rules themselves.
NOT_OURS = {"up", "kube_job_failed", *(rule["record"] for rule in rules() if "record" in rule)}
ADDED_BY_THE_SCRAPE = {"namespace"}  # beside service and role
ONLY_IN_TROUBLE = {"503", *grpc.StatusCode.__members__}


def asked() -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    """(metric, its conditions) of every query, of ours alone."""
    for query in queries():
        for selector in selectors(query):
            if selector.metric not in NOT_OURS:
                yield selector.metric, dict(selector.conditions)


def test_every_metric_asked_for_is_measured(scraped: dict[str, Scraped]) -> None:
    wanted = {metric for metric, _ in asked()}

    assert len(wanted) > 20
    assert {metric for metric in wanted if metric not in scraped or not scraped[metric].values} == set()


def test_every_label_exists_and_has_every_value_asked_for(scraped: dict[str, Scraped]) -> None:
    unknown = set()
    for metric, conditions in asked():
        for label, patterns in conditions.items():
            if label in ADDED_BY_THE_SCRAPE:
                continue
            values = {dict(labels).get(label) for labels in scraped[metric].values} - {None}
            wanted = [pattern for pattern in patterns if not pattern.startswith("$")]
            missing = [one for one in wanted if not any(re.fullmatch(one, value) for value in values | ONLY_IN_TROUBLE)]
            unknown |= {(metric, label, *missing)} if missing or not values else set()

    assert unknown == set()


def test_every_label_that_numbers_are_put_together_by_exists(scraped: dict[str, Scraped]) -> None:
    for query in queries():
        ours = [scraped[selector.metric].labels for selector in selectors(query) if selector.metric not in NOT_OURS]
        if ours:
            assert grouped_by(query) - ADDED_BY_THE_SCRAPE <= set().union(*ours), query
