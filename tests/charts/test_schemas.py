"""The checks of schemas would notice."""

import pytest

from tests.charts.schemas import problems

METADATA = {"name": "one"}
SCALED = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": METADATA}
TRIGGER = {"type": "nats-jetstream", "metadata": {"lagThreshold": "10"}}
ROUTE = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": METADATA}
RULE = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": METADATA}
MONITOR = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": METADATA}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": METADATA}


@pytest.mark.parametrize(
    ("thing", "problem"),
    [
        (SERVICE | {"spec": {"ports": [{"port": 80}]}}, ""),
        (SERVICE | {"spec": {"port": [{"port": 80}]}}, "'port' was unexpected"),
        (SCALED | {"spec": {"scaleTargetRef": {"name": "x"}, "triggers": [TRIGGER]}}, ""),
        (
            SCALED | {"spec": {"scaleTargetRef": {"name": "x"}, "triggers": [TRIGGER], "minReplicas": 0}},
            "/spec/minRepl",
        ),
        (SCALED | {"spec": {"scaleTargetRef": {"name": "x"}}}, "required property triggers"),
        (SCALED | {"kind": "ScaledThing"}, "no schema of keda.sh/v1alpha1"),
        (ROUTE | {"spec": {"rules": [{"matches": [{"path": {"type": "Exact", "value": "/x"}}]}]}}, ""),
        (ROUTE | {"spec": {"rules": [{"matches": [{"path": {"type": "Exakt", "value": "/x"}}]}]}}, "allowed values"),
        (ROUTE | {"spec": {"rules": [{"matches": [{"pth": {"type": "Exact"}}]}]}}, "/spec/rules/0/matches/0/pth is no"),
        (RULE | {"spec": {"groups": [{"name": "g", "rules": [{"alert": "a", "expr": "1"}]}]}}, ""),
        (RULE | {"spec": {"groups": [{"name": "g", "rules": [{"alert": "a", "exp": "1"}]}]}}, "property expr"),
        (MONITOR | {"spec": {"selector": {}, "endpoints": [{"port": "metrics"}]}}, ""),
        (MONITOR | {"spec": {"selector": {}, "endpoints": [{"prt": "metrics"}]}}, "/spec/endpoints/0/prt is no"),
        ({"apiVersion": "apps/v1", "kind": "Deploymint", "metadata": METADATA}, "no schema of apps/v1"),
    ],
)
def test_what_is_wrong_is_said(thing, problem) -> None:
    found = problems([thing])

    assert found == [] if problem == "" else any(problem in sentence for sentence in found), found
