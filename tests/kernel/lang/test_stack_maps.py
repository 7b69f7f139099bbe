"""Stacks in maps: addresses, or places in files that mean the same in every process."""

import os
import re

import skep
from tests.kernel.lang import stack_programs as p

VALID = 1


def files() -> dict[int, tuple[str, int]]:
    """Mapped pages of this process: address to file and offset."""
    found = {}
    with open("/proc/self/maps", encoding="utf-8") as lines:
        for line in lines:
            match = re.match(r"(\w+)-(\w+) r.x. (\w+) \S+ \d+ +(/.*)", line)
            if match:
                start, end, offset = (int(match[n], 16) for n in (1, 2, 3))
                for page in range(start, end, 4096):
                    found[page] = match[4], offset + page - start
    return found


def test_a_stack_by_build_id_names_the_places_of_its_addresses() -> None:
    with skep.load(p.on_call) as live:
        live[p.mine][os.getpid()] = 1
        os.getppid()
        raw, named = (live[p.ids][n] for n in (0, 1))
        assert min(raw, named) >= 0
        stack = [address for address in live[p.addresses][raw] if address]
        places = live[p.places][named][: len(stack)]
        mapped = files()
        path, offset = mapped[stack[0] & ~4095]
        first = places[0]
        assert first.status == VALID
        assert first.offset == offset + (stack[0] & 4095)
        with open(path, "rb") as file:
            assert bytes(first.build_id) in file.read(8192)
        assert sorted(live[p.places]) == [named]
        del live[p.places][named]
        assert named not in live[p.places]


def test_stacks_are_named_by_the_functions_of_the_kernel_and_of_the_process() -> None:
    """The program itself, and its tracepoint, are not part of what the kernel did."""
    with skep.load(p.on_call) as live:
        live[p.mine][os.getpid()] = 1
        os.getppid()
        (kernel,) = skep.Symbols().stacks([live[p.kernel][live[p.ids][2]]])
        assert not any("on_call" in name or "traceiter" in name for name in kernel)
        assert any("syscall" in name for name in kernel)
        (user,) = skep.ProcessSymbols(os.getpid()).stacks([live[p.addresses][live[p.ids][0]]])
        assert user[0] in ("getppid", "__getppid")
