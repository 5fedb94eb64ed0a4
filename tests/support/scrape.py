"""Every metric that the running system's processes answer with, as Prometheus would see it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from highsea_local.system import System
from highsea_local.topology import SERVICES

_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count"), "counter": ("_total",)}


@dataclass
class Scraped:
    """One metric by the name that PromQL uses. A metric with labels that nothing has happened to has no series yet:
    then `labels` is empty and so is `processes`.
    """

    name: str
    kind: str
    labels: set[str] = field(default_factory=set)
    processes: set[tuple[str, str]] = field(default_factory=set)
    values: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)


def scrape(system: System) -> dict[str, Scraped]:
    """Scrape every role process. Name → metric; `labels` hold `service` and `role` as the scrape adds them, `values` a
    number for each set of labels.
    """
    found: dict[str, Scraped] = {}
    for service in SERVICES:
        for role in service.roles:
            for family in families(system, service.name, role):
                _add(found, family, service.name, role)
    return found


def families(system: System, service: str, role: str) -> Iterator[Metric]:
    """The metrics of one process."""
    reply = httpx.get(f"{system.metrics_url(service, role)}/metrics").raise_for_status()
    return iter(text_string_to_metric_families(reply.text))


def _add(found: dict[str, Scraped], family: Metric, service: str, role: str) -> None:
    for suffix in _SUFFIXES.get(family.type, ("",)):
        found.setdefault(family.name + suffix, Scraped(family.name + suffix, family.type))
    for sample in family.samples:
        labels = {**sample.labels, "service": service, "role": role}
        metric = found[sample.name]
        metric.labels |= labels.keys()
        metric.processes.add((service, role))
        metric.values[tuple(sorted(labels.items()))] = sample.value
