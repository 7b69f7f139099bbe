"""The Kubernetes container runtime interface: containerd, CRI-O, cri-dockerd.

Field numbers: k8s.io/cri-api pkg/apis/runtime/v1/api.proto; v1alpha2, which older runtimes speak,
has the same for what is read here. A sandbox (pause container) is a container too in cgroups.
"""

import json
from dataclasses import replace

from skep.model.container import Container, Mount, Pod
from skep.node.runtimes import grpc, labels
from skep.node.runtimes import protobuf as pb
from skep.node.runtimes.client import NoAnswer, part, text

_VERSIONS = ("runtime.v1", "runtime.v1alpha2")
_GONE = ("not found", "does not exist", "could not find")
_SANDBOXES = 1_024


class Cri:
    """A client of one socket. Remembers the pods of sandboxes that it was told of."""

    family = "cri"

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._version = self._name = ""
        self._pods: dict[str, Pod] = {}

    async def inspect(self, container: str) -> Container | None:
        """What the runtime says of a container or sandbox, None where it knows no such."""
        await self._greet()
        answer = await self._ask("ContainerStatus", container)
        try:
            if answer is None:
                return await self._sandbox(container)
            found, sandbox = read_container(answer, self._name)
            return await self._in_pod(found, sandbox)
        except ValueError as error:
            raise NoAnswer(self.socket, f"malformed answer: {error}") from error

    async def _greet(self) -> None:
        """Learn, once, the version of the interface and the runtime's name."""
        if self._version:
            return
        try:
            self._version, answer = await self._first_version()
            self._name = pb.text(pb.decode(answer), 2)
        except grpc.Status as status:
            raise NoAnswer(self.socket, str(status)) from status
        except ValueError as error:
            raise NoAnswer(self.socket, f"malformed answer: {error}") from error

    async def _first_version(self) -> tuple[str, bytes]:
        try:
            return _VERSIONS[0], await grpc.unary(
                self.socket, _method(_VERSIONS[0], "Version"), b""
            )
        except grpc.Status as status:
            if status.code != grpc.UNIMPLEMENTED:
                raise
        return _VERSIONS[1], await grpc.unary(self.socket, _method(_VERSIONS[1], "Version"), b"")

    async def _ask(self, method: str, subject: str) -> bytes | None:
        request = pb.encode(1, subject) + pb.encode(2, 1)
        try:
            return await grpc.unary(self.socket, _method(self._version, method), request)
        except grpc.Status as status:
            message = status.message.lower()
            if status.code == grpc.NOT_FOUND or any(words in message for words in _GONE):
                return None
            self._version = ""
            raise NoAnswer(self.socket, str(status)) from status

    async def _sandbox(self, sandbox: str) -> Container | None:
        answer = await self._ask("PodSandboxStatus", sandbox)
        if answer is None:
            return None
        found, pod = read_sandbox(answer, self._name)
        self._remember(sandbox, pod)
        return found

    async def _in_pod(self, found: Container, sandbox: str) -> Container:
        """``found`` with its pod, whose labels only the sandbox has."""
        pod = self._pods.get(sandbox)
        if pod is None and sandbox:
            answer = await self._ask("PodSandboxStatus", sandbox)
            if answer is not None:
                _, pod = read_sandbox(answer, self._name)
                self._remember(sandbox, pod)
        return replace(found, pod=pod or found.pod)

    def _remember(self, sandbox: str, pod: Pod) -> None:
        self._pods[sandbox] = pod
        if len(self._pods) > _SANDBOXES:
            del self._pods[next(iter(self._pods))]


def _method(version: str, name: str) -> str:
    return f"/{version}.RuntimeService/{name}"


def read_container(answer: bytes, runtime: str) -> tuple[Container, str]:
    """A ContainerStatusResponse as a Container, and its sandbox's id ("" where it is not told)."""
    response = pb.decode(answer)
    status = pb.message(response, 1)
    info = _info(response)
    marks = pb.pairs(status, 12)
    image = pb.message(status, 8)
    pid = part(info, "pid")
    found = Container(
        id=pb.text(status, 1),
        runtime=runtime,
        name=pb.text(pb.message(status, 2), 1),
        image=pb.text(image, 18) or pb.text(image, 1) or pb.text(status, 9),
        privileged=_privileged(info),
        pid=pid if isinstance(pid, int) else 0,
        mounts=tuple(
            Mount(pb.text(m, 2), pb.text(m, 1), bool(pb.integer(m, 3)))
            for m in pb.messages(status, 14)
        ),
        labels=labels.own(marks),
        pod=labels.pod_of(marks),
    )
    return found, text(part(info, "sandboxID"))


def read_sandbox(answer: bytes, runtime: str) -> tuple[Container, Pod]:
    """A PodSandboxStatusResponse as the pause container and its pod."""
    response = pb.decode(answer)
    status = pb.message(response, 1)
    info = _info(response)
    metadata = pb.message(status, 2)
    pod = Pod(
        namespace=pb.text(metadata, 3),
        name=pb.text(metadata, 1),
        uid=pb.text(metadata, 2),
        labels=labels.own(pb.pairs(status, 7)),
    )
    pid = part(info, "pid")
    found = Container(
        id=pb.text(status, 1),
        runtime=runtime,
        name="POD",
        image=text(part(info, "image")),
        sandbox=True,
        pid=pid if isinstance(pid, int) else 0,
        pod=pod,
    )
    return found, pod


def _info(response: pb.Fields) -> object:
    """The runtime's own JSON in a verbose answer, None where there is none."""
    given = dict(pb.pairs(response, 2)).get("info", "")
    try:
        return json.loads(given) if given else None
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _privileged(info: object) -> bool:
    """CRI-O says it itself, containerd in the configuration that the kubelet sent."""
    config = part(info, "config", "linux", "security_context", "privileged")
    return part(info, "privileged") is True or config is True
