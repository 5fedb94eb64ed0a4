"""The metrics of the product, and the document that lists them."""

import re

from tests.support.metrics import declared, table
from tests.support.repository import ROOT

ROLES = {"serve", "work", "process", "push", "bulk", "every role"}
# What one series more for each member, customer or address would come from.
UNBOUNDED = re.compile(r"(^|_)(id|ids|name|user|member|customer|path|url|address|subject)$")


def test_the_document_lists_every_metric_and_no_other() -> None:
    document = (ROOT / "docs/metrics.md").read_text(encoding="utf-8").splitlines()

    assert [line for line in document if line.startswith("|")] == table(), "python -m tests.support.metrics prints it"


def test_roles_are_ours_and_no_label_grows_with_the_data() -> None:
    assert {role for metric in declared() for role in metric.roles} <= ROLES
    assert [metric.name for metric in declared() for label in metric.labels if UNBOUNDED.search(label)] == []
