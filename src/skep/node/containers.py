"""The join at the edge: who did it (a fragment) with what the runtime says of the container.

Lives in the agent, in one thread. Fragments arrive with a container's id; the names come later from
the runtime's socket, or never. Events hold a ``Definition`` and read its text when they are shown.
"""

import json
import re
from collections.abc import Callable, Iterable

from skep.model.container import Container

_CONTAINER = re.compile(
    rb'"container":(\{"id":"(?:[^"\\]|\\.)*"(?:,"runtime":"[^"]*")?\})'
    rb'(,"pod":\{"uid":"[0-9a-f-]*"\})?'
)
_CONTAINERS = 1_024
_MEMBERS = 1_024


class Definition:
    """Who did it, as a JSON fragment; ``text`` gains the container's names when they are known."""

    __slots__ = ("ref", "text")

    def __init__(self, ref: int, text: bytes) -> None:
        self.ref, self.text = ref, text


def container_of(fragment: bytes) -> tuple[str, str] | None:
    """The (id, runtime) of the container that a fragment names; the runtime may be ""."""
    match = _CONTAINER.search(fragment) if b'"container":' in fragment else None
    if match is None:
        return None
    found = json.loads(match[1])
    return found["id"], found.get("runtime", "")


def enrich(fragment: bytes, container: Container) -> bytes:
    """``fragment`` with name, image and pod in place of what its path told of its container."""
    named = {"id": container.id, "name": container.name, "image": container.image}
    piece = b'"container":' + _json({**named, "runtime": container.runtime})
    pod = container.pod
    if pod is not None:
        piece += b',"pod":' + _json({"namespace": pod.namespace, "name": pod.name, "uid": pod.uid})
    return _CONTAINER.sub(
        lambda found: piece + (b"" if pod else found[2] or b""), fragment, count=1
    )


def _json(value: dict[str, str]) -> bytes:
    given = {key: text for key, text in value.items() if text}
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


UNKNOWN = Definition(0, b"")
"""Of a ref that was not defined."""


class Definitions:
    """The definitions that a drain has sent and not retired.

    ``ask`` (id, runtime) gives what is known of a container at once, or sees to it that ``learn`` or
    ``unknown`` is called later: ``Directory.ask``.
    """

    def __init__(self, ask: Callable[[str, str], Container | None]) -> None:
        self._ask = ask
        self._by_ref: dict[int, Definition] = {}
        self._waiting: dict[str, list[Definition]] = {}

    def __len__(self) -> int:
        return len(self._by_ref)

    def __getitem__(self, ref: int) -> Definition:
        return self._by_ref[ref]

    def of(self, refs: Iterable[int]) -> tuple[Definition, ...]:
        """The definition of each ref; UNKNOWN where none came."""
        get = self._by_ref.get
        return tuple([get(ref, UNKNOWN) for ref in refs])

    def add(self, definitions: Iterable[tuple[int, bytes]]) -> None:
        """Take in what a drain sent, before the batches that name it."""
        for ref, fragment in definitions:
            made = self._by_ref[ref] = Definition(ref, fragment)
            found = container_of(fragment)
            if found is not None:
                answer = self._ask(*found)
                if answer is None:
                    self._wait(found[0], made)
                else:
                    made.text = enrich(fragment, answer)

    def retire(self, refs: Iterable[int]) -> None:
        """Forget refs that no later batch names. Events that hold a Definition keep it."""
        for ref in refs:
            self._by_ref.pop(ref, None)

    def learn(self, container: Container) -> None:
        """A runtime answered: what waited for it is completed, also where the process has ended."""
        for definition in self._waiting.pop(container.id, ()):
            definition.text = enrich(definition.text, container)

    def unknown(self, container: str) -> None:
        """No runtime knows the container: its processes stay with its bare id."""
        self._waiting.pop(container, None)

    def _wait(self, container: str, made: Definition) -> None:
        members = self._waiting.setdefault(container, [])
        members.append(made)
        if len(members) > _MEMBERS:
            del members[: _MEMBERS // 2]
        if len(self._waiting) > _CONTAINERS:
            del self._waiting[next(iter(self._waiting))]
