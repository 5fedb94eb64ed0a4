"""What NetworkPolicies let through, by the rules of Kubernetes, between Pods of one namespace."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.charts.helm import NAMESPACE, Object, of_kind
from tests.charts.pods import Pods, selects

NAMESPACE_LABELS = {"kubernetes.io/metadata.name": NAMESPACE}
_PEER = {"Ingress": "from", "Egress": "to"}


def covering(objects: Sequence[Object], pod: Pods, direction: str) -> list[Object]:
    """The policies that decide about this direction of a Pod's traffic. Where there is none, everything is allowed."""
    return [
        policy
        for policy in of_kind(objects, "NetworkPolicy")
        if direction in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], pod.labels)
    ]


def may_call(objects: Sequence[Object], caller: Pods, callee: Pods, port: int) -> bool:
    """Whether the caller may open this port of the callee: both its way out and the callee's way in."""
    return may_leave(objects, caller, callee, port) and may_enter(objects, caller, callee, port)


def may_leave(objects: Sequence[Object], caller: Pods, callee: Pods, port: int) -> bool:
    """Whether the policies of the caller let it out."""
    return _allowed(objects, caller, callee, callee, port, "Egress")


def may_enter(objects: Sequence[Object], caller: Pods, callee: Pods, port: int) -> bool:
    """Whether the policies of the callee let it in."""
    return _allowed(objects, callee, caller, callee, port, "Ingress")


def rules(objects: Sequence[Object], pod: Pods, direction: str) -> Iterator[Mapping[str, Any]]:
    """Every rule about this direction of a Pod's traffic."""
    for policy in covering(objects, pod, direction):
        yield from policy["spec"].get(direction.lower(), ())


def _allowed(objects: Sequence[Object], judged: Pods, other: Pods, listener: Pods, port: int, direction: str) -> bool:
    if not covering(objects, judged, direction):
        return True
    return any(
        _has_port(rule, listener, port) and _has_peer(rule.get(_PEER[direction], ()), other)
        for rule in rules(objects, judged, direction)
    )


def _has_port(rule: Mapping[str, Any], listener: Pods, port: int) -> bool:
    """A rule that names no port means all of them."""
    return "ports" not in rule or any(
        "port" not in entry or listener.port(entry["port"]) == port or entry["port"] == port for entry in rule["ports"]
    )


def _has_peer(peers: Sequence[Mapping[str, Any]], other: Pods) -> bool:
    """A rule that names no peer means all of them. Addresses outside the cluster are no Pod's."""
    return not peers or any(
        "ipBlock" not in peer
        and selects(peer.get("namespaceSelector", {}), NAMESPACE_LABELS)
        and selects(peer.get("podSelector", {}), other.labels)
        for peer in peers
    )
