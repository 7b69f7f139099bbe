"""The labels by which a kubelet marks a container: they name its pod. Pure."""

from collections.abc import Iterable

from skep.model.container import Pod

NAME, NAMESPACE, UID = (
    "io.kubernetes.pod.name",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.pod.uid",
)
CONTAINER = "io.kubernetes.container.name"
KIND = "io.kubernetes.docker.type"


def pod_of(labels: Iterable[tuple[str, str]]) -> Pod | None:
    """The pod that a container's labels name; the pod's own labels are not among them."""
    given = dict(labels)
    if not given.get(NAME):
        return None
    return Pod(given.get(NAMESPACE, ""), given[NAME], given.get(UID, ""))


def own(labels: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """``labels`` without those of the kubelet's bookkeeping."""
    return tuple(pair for pair in labels if pair[0] not in (NAME, NAMESPACE, UID, CONTAINER))
