"""The written semantics hold: random programs compute in the kernel, and as plain Python, what their rules say."""

import importlib.util
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import skep
from skep.kernel.programs import Program as Loaded
from skep.lang.capture import declarations
from skep.lang.compile import compile_all
from skep.lang.finish import finish
from skep.lang.front.scope import Target
from skep.lang.types import s32
from tests.kernel.lang import random_kept
from tests.kernel.lang.random_tables import Everything
from tests.kernel.lang.random_world import World, content
from tests.kernel.lang.reference import HEADER, Program, packet

pytestmark = pytest.mark.native("compiles random programs")
CI, SOAK = 2_000, 100_000
PARTS, SOAK_PARTS, MIXED = 4, 20, 100
BATCH = 50
PACKETS, PLAIN = 20, 5
TOO_MUCH = ("is too complex", "is too large")
"""What the verifier says of a program with too many branches or rounds; the rules have no word about that."""


def _module(path: Path, made: list[Program]) -> ModuleType:
    path.write_text(HEADER + "\n".join(program.source for program in made))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _packets(seed: int) -> list[bytes]:
    rng = random.Random(seed)
    return [packet(rng) for _ in range(PACKETS)]


def _held(maps: list[Any], faces: skep.Live | skep.FakeKernel) -> dict[Any, Any]:
    return {declared: content(declared, faces[declared]) for declared in maps}


def _by_rules(made: Program, given: list[bytes], maps: list[Any]) -> list[Any]:
    """What runs leave by the rules, one after the other; in the end what maps hold."""
    world = World()
    left: list[Any] = [made.run(data, world) for data in given]
    held = world.contents()
    return [*left, {declared: held[declared] for declared in maps}]


def _in_plain_python(program: skep.Program, given: list[bytes], maps: list[Any]) -> list[Any]:
    kernel, left = skep.FakeKernel(), list[Any]()
    _begin(maps, kernel)
    for data in given:
        seen = bytearray(data)
        left.append((program.py(seen, kernel=kernel), bytes(seen)))
    return [*left, _held(maps, kernel)]


def _begin(maps: list[Any], faces: skep.Live | skep.FakeKernel) -> None:
    """What maps hold before the first run."""
    if random_kept.nested in maps:
        faces[random_kept.nested][0] = {}
    if random_kept.steps in maps:
        faces[random_kept.steps][1] = random_kept.landing


@contextmanager
def _one_cpu() -> Iterator[None]:
    """Runs find again what they left in maps of each CPU."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _in_the_kernel(
    live: skep.Live, loaded: Loaded, given: list[bytes], maps: list[Any]
) -> list[Any]:
    with _one_cpu():
        done = [loaded.test_run(data) for data in given]
    return [*((s32.wrap(one.retval), one.data) for one in done), _held(maps, live)]


def _check(made: list[Program], packets: list[bytes], target: Target, folder: Path) -> int:
    """Run these programs on these packets; gives how many the verifier could follow to their end."""
    module = _module(folder / f"random_{made[0].name}_{target.cpu}.py", made)
    programs = [getattr(module, one.name) for one in made]
    machine, ran = skep.Machine(), 0
    *compiled, landing = compile_all([*programs, random_kept.landing], target)
    for one, program, linked in zip(made, programs, compiled, strict=True):
        maps = [found for name, found in declarations(program) if not name.endswith("_state")]
        with skep.Live(machine) as live:
            try:
                loaded = live.add(program, finish(program, linked))
            except skep.VerifierError as error:
                if not any(words in error.log for words in TOO_MUCH):
                    raise
                continue
            if random_kept.steps in maps:
                live.add(random_kept.landing, finish(random_kept.landing, landing))
            _begin(maps, live)
            seen = _in_the_kernel(live, loaded, packets, maps)
        assert seen == _by_rules(one, packets, maps), f"{target.cpu}:\n{one.source}"
        if one.plain:
            some = packets[:PLAIN]
            left = _in_plain_python(program, some, maps)
            assert left == _by_rules(one, some, maps), f"plain Python:\n{one.source}"
        ran += 1
    return ran


def _target(cpu: str) -> Target:
    machine = skep.Machine()
    if cpu > machine.cpu:
        pytest.skip(f"this kernel takes BPF {machine.cpu}, not {cpu}")
    return Target(machine.target.types, cpu)


def _run(
    seeds: range, target: Target, folder: Path, *, declared: bool, mixed: bool = False
) -> None:
    ran = 0
    for start in range(seeds.start, seeds.stop, BATCH):
        some = range(start, min(start + BATCH, seeds.stop))
        made = [Everything(seed, declared, mixed).program() for seed in some]
        ran += _check(made, _packets(start), target, folder)
    assert ran > len(seeds) * 98 // 100


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("cpu", ["v3", "v4"])
@pytest.mark.parametrize("declared", [True, False])
def test_random_programs_compute_what_the_rules_say(
    tmp_path: Path, cpu: str, part: int, *, declared: bool
) -> None:
    count = CI // PARTS // 4
    first = {"v3": 0, "v4": 2 * CI}[cpu] + declared * CI + part * count
    _run(range(first, first + count), _target(cpu), tmp_path, declared=declared)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("callbacks", [True, False])
def test_random_programs_compute_so_where_choices_mix_types(
    tmp_path: Path, *, callbacks: bool
) -> None:
    """Of a choice plain Python sees one side; and where long loops are called, as on kernels before 6.4."""
    target = Target(skep.Machine().target.types, "v3", callbacks=callbacks)
    first = 5 * CI + callbacks * MIXED
    _run(range(first, first + MIXED), target, tmp_path, declared=False, mixed=True)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(SOAK_PARTS))
@pytest.mark.parametrize("cpu", ["v3", "v4"])
def test_many_random_programs_compute_what_the_rules_say(
    tmp_path: Path, cpu: str, part: int
) -> None:
    count = SOAK // SOAK_PARTS // 2
    first = 10_000 + (cpu == "v4") * SOAK // 2 + part * count
    _run(range(first, first + count), _target(cpu), tmp_path, declared=bool(part % 2))
