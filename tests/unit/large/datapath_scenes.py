"""A pod whose datapath is told what to do, and which meets packets: the same in plain Python and in the kernel."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from ipaddress import ip_network
from typing import Any, Protocol

import skep
from examples.large.datapath import balance, desired
from examples.large.datapath.balance import Service
from examples.large.datapath.desired import Rule
from examples.large.datapath.pod import from_pod, to_pod
from examples.large.datapath.state import (
    IN,
    OUT,
    VERDICTS,
    Drop,
    Settings,
    Shape,
    Verdict,
    backends,
    connections,
    counts,
    drops,
    frontends,
    identities,
    maglev,
    policies,
    services,
    settings,
    shape,
)

PROGRAMS = {OUT: from_pod, IN: to_pod}
GO_ON, DROPPED = -1, 2
NOW = 1_000_000_000_000
PEERS, OTHERS = 7, 8
NETWORKS = {"10.0.0.0/8": PEERS, "10.5.0.0/16": OTHERS, "fd00::/8": PEERS}


class Maps(Protocol):
    """Live maps, or fakes: by declaration."""

    def __getitem__(self, declared: Any, /) -> Any: ...  # noqa: ANN401 - as the map's type has it


class Scene:
    """What both scenes share: they are told and asked through their maps."""

    def __init__(
        self,
        maps: Maps,
        run: Callable[[int, bytes], tuple[int, bytes]],
        put_shape: Callable[[Shape], None],
    ) -> None:
        self.maps, self._run, self._put_shape = maps, run, put_shape
        self.revision = 0
        self.left = b""
        self.longer = 0
        self._before: list[tuple[int, int]] = []
        networks = {ip_network(text): identity for text, identity in NETWORKS.items()}
        desired.replace(maps[identities], desired.identity_entries(networks))

    def allow(self, *rules: Rule) -> None:
        """These are the policies from now on."""
        entries = desired.policy_entries(rules)
        desired.replace(self.maps[policies], entries)
        self.revision += 1
        self._put_shape(desired.shape_of(entries, self.revision))

    def serve(self, *wanted: Service) -> None:
        """These are the services from now on."""
        tables = balance.service_tables(wanted)
        desired.replace(self.maps[services], tables.services)
        for declared, entries in (
            (frontends, tables.frontends),
            (maglev, tables.maglev),
            (backends, tables.backends),
        ):
            desired.put(self.maps[declared], entries)

    def begin(self) -> "Scene":
        """As at first: no policy, no service, no connection, and nothing to tell."""
        self.allow()
        self.serve()
        desired.replace(self.maps[connections], {})
        self.drops()
        return self

    def sends(self, data: bytes) -> Verdict:
        """The pod sends a packet."""
        return self.meets(OUT, data)

    def gets(self, data: bytes) -> Verdict:
        """A packet comes for the pod."""
        return self.meets(IN, data)

    def meets(self, direction: int, data: bytes) -> Verdict:
        """What becomes of a packet, by the counter that rises; ``left`` is the packet as the program leaves it."""
        before = self._before or self.counted()
        code, self.left = self._run(direction, data)
        after = self._before = self.counted()
        (index,) = (i for i in range(len(after)) if after[i] != before[i])
        packets, size = (now - then for now, then in zip(after[index], before[index], strict=True))
        assert (packets, size) == (1, len(data) + self.longer)
        assert index // VERDICTS == direction
        verdict = Verdict(index % VERDICTS)
        assert code == (DROPPED if verdict >= Verdict.SHORT else GO_ON)
        return verdict

    def counted(self) -> list[tuple[int, int]]:
        """Packets and bytes of each counter, of all CPUs together."""
        return [
            (sum(c.packets for c in each), sum(c.bytes for c in each))
            for each in self.maps[counts].values()
        ]

    def drops(self) -> list[Drop]:
        """The records of drops since the last time."""
        return list(self.maps[drops].poll())

    def remembered(self) -> set[int]:
        """Until when the connections are remembered, in ns."""
        return {one.expires for one in self.maps[connections].values()}

    def forget(self) -> None:
        """Time passes, until all connections are too old."""
        table = self.maps[connections]
        for key, value in list(table.items()):
            value.expires = 0
            table[key] = value


def plain(
    given: Settings | None = None,
    *,
    helpers: Mapping[str, Callable[..., Any]] | None = None,
    longer: int = 0,
) -> Scene:
    """A scene without a kernel; ``helpers`` instead of fakes, packets with bytes beyond those that can be read."""
    kernel = skep.FakeKernel(now=NOW)
    if given is not None:
        kernel[settings][0] = given

    def run(direction: int, data: bytes) -> tuple[int, bytes]:
        changed = bytearray(data)
        kernel.helpers = {"skb_pull_data": lambda _size: 0, **(helpers or {})}
        packet = skep.Packet(changed)
        packet.len = len(data) + longer
        return int(PROGRAMS[direction].py(packet, kernel=kernel)), bytes(changed)

    made = Scene(kernel, run, lambda made: kernel[shape].__setitem__(0, made))
    made.longer = longer
    return made


def nowhere(_direction: int, data: bytes) -> tuple[int, bytes]:
    """How a packet is run by programs that are attached: they meet those of the network."""
    raise AssertionError(f"send these {len(data)} bytes by a socket")


def live(stack: ExitStack, given: Settings | None = None) -> Scene:
    """A scene in the kernel: programs that are loaded, attached to nothing, and run on packets."""
    initial = {} if given is None else {settings: given}
    return driven(stack.enter_context(skep.load(from_pod, to_pod, attach=False, initial=initial)))


def driven(loaded: skep.Live) -> Scene:
    """A scene of programs that are loaded, and run on packets."""

    def run(direction: int, data: bytes) -> tuple[int, bytes]:
        done = loaded.programs[PROGRAMS[direction].name].test_run(data)
        return skep.s32.wrap(done.retval), done.data

    return shaped(loaded, run)


def shaped(loaded: Maps, run: Callable[[int, bytes], tuple[int, bytes]] = nowhere) -> Scene:
    """A scene of programs that are loaded, and run by whoever wants them to."""

    def put(made: Shape) -> None:
        loaded[shape].lengths, loaded[shape].revision = made.lengths, made.revision

    return Scene(loaded, run, put)
