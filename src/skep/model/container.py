"""A container and the pod that it belongs to, as plain values; knows no runtime and no I/O."""

from dataclasses import field

from skep.base.frozen import frozen


@frozen
class Mount:
    """A path of the host (or a volume) seen in a container at ``destination``."""

    source: str
    destination: str
    read_only: bool = False


@frozen
class Pod:
    """A pod as its runtime knows it: of Kubernetes, or Podman's own, which has no namespace."""

    namespace: str
    name: str
    uid: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@frozen
class Container:
    """A container as its runtime tells of it.

    ``name`` is what people call it: in a pod, the name that the pod's specification gives.
    ``sandbox``: it is the pause container that holds a pod's namespaces. ``pid`` is its first
    process, 0 where it does not run.
    """

    id: str
    runtime: str
    name: str = ""
    image: str = ""
    privileged: bool = False
    sandbox: bool = False
    pid: int = 0
    mounts: tuple[Mount, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    pod: Pod | None = field(default=None)
