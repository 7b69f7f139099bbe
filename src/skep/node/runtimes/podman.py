"""Podman: Docker's API for its containers, its own (``/libpod``) for the pods that it groups them in."""

import json
import re
from dataclasses import replace

from skep.base.frozen import frozen
from skep.model.container import Container, Pod
from skep.node.runtimes import http
from skep.node.runtimes.client import part, text, texts
from skep.node.runtimes.docker import Docker

_ID = re.compile(r"[0-9a-f]{64}")
_OK = 200
_API = "/v4.0.0/libpod"
"""The version that Podman 4 and 5 take; an older one refuses it, and its pods are not told."""


@frozen
class Podman:
    """A client of one socket. A pod has no namespace; one of Kubernetes (by labels) goes before it."""

    socket: str
    family: str = "podman"

    async def inspect(self, container: str) -> Container | None:
        """What Podman says of ``container`` (a full id) and its pod, None where it knows no such."""
        found = await Docker(self.socket, self.family).inspect(container)
        if found is None or found.pod is not None:
            return found
        answer = await self._ask(f"containers/{container}")
        pod = await self._pod(text(part(answer, "Pod")))
        return replace(found, pod=pod, sandbox=part(answer, "IsInfra") is True)

    async def _pod(self, pod: str) -> Pod | None:
        if not _ID.fullmatch(pod):
            return None
        answer = await self._ask(f"pods/{pod}")
        name = text(part(answer, "Name"))
        return Pod("", name, pod, texts(part(answer, "Labels"))) if name else None

    async def _ask(self, what: str) -> object:
        """The JSON of ``what``, None where this Podman does not tell."""
        status, body = await http.get(self.socket, f"{_API}/{what}/json")
        try:
            return json.loads(body) if status == _OK else None
        except (ValueError, RecursionError):
            return None
