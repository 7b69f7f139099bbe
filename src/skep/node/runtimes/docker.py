"""Docker's API, which Podman serves too (``podman``): GET /containers/ID/json."""

import json
import re

from skep.base.frozen import frozen
from skep.model.container import Container, Mount
from skep.node.runtimes import http, labels
from skep.node.runtimes.client import NoAnswer, part, text, texts

_ID = re.compile(r"[0-9a-f]{12,64}")
_OK, _NOT_FOUND = 200, 404


@frozen
class Docker:
    """A client of one socket; ``family`` is docker or podman, and the runtime of its containers."""

    socket: str
    family: str = "docker"

    async def inspect(self, container: str) -> Container | None:
        """What the runtime says of ``container`` (a full id), None where it knows no such."""
        if not _ID.fullmatch(container):
            return None
        status, body = await http.get(self.socket, f"/containers/{container}/json")
        if status == _NOT_FOUND:
            return None
        if status != _OK:
            raise NoAnswer(self.socket, f"HTTP status {status}")
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise NoAnswer(self.socket, f"malformed answer: {error}") from error
        found = read_inspect(answer, self.family)
        return found if found.id == container else None


def read_inspect(answer: object, runtime: str) -> Container:
    """The Container in the JSON of an inspection; what is not of the expected type is left out."""
    marks = texts(part(answer, "Config", "Labels"))
    name = text(part(answer, "Name")).removeprefix("/")
    pid = part(answer, "State", "Pid")
    return Container(
        id=text(part(answer, "Id")),
        runtime=runtime,
        name=dict(marks).get(labels.CONTAINER, name),
        image=text(part(answer, "Config", "Image")),
        privileged=part(answer, "HostConfig", "Privileged") is True,
        sandbox=dict(marks).get(labels.KIND) == "podsandbox",
        pid=pid if isinstance(pid, int) else 0,
        mounts=_mounts(part(answer, "Mounts")),
        labels=labels.own(marks),
        pod=labels.pod_of(marks),
    )


def _mounts(value: object) -> tuple[Mount, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        Mount(text(part(m, "Source")), text(part(m, "Destination")), part(m, "RW") is False)
        for m in value
    )
