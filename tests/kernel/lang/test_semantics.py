"""The written semantics hold: random programs compute in the kernel, and as plain Python, what their rules say."""

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import skep
from skep.kernel.maps import Map
from skep.kernel.programs import Program as Loaded
from skep.lang.compile import compile_all
from skep.lang.finish import finish
from skep.lang.front.scope import Target
from skep.lang.types import s32
from tests.kernel.lang.random_constructs import Constructs
from tests.kernel.lang.reference import HEADER, Program, packet

pytestmark = pytest.mark.native("compiles random programs")
CI, SOAK = 2_000, 100_000
PARTS, SOAK_PARTS, CALLED = 4, 20, 100
BATCH = 50
PACKETS, PLAIN = 20, 4


def _module(path: Path, made: list[Program]) -> ModuleType:
    path.write_text(HEADER + "\n".join(program.source for program in made))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _packets(seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    return (packet(rng) for _ in range(PACKETS))


def _check(seeds: range, target: Target, folder: Path, *, declared: bool) -> int:
    """Run the programs of these seeds; gives the number of runs."""
    made = [Constructs(seed, declared).program() for seed in seeds]
    module = _module(folder / f"random_{seeds.start}_{declared}_{target.cpu}.py", made)
    programs = [getattr(module, one.name) for one in made]
    btf = skep.Machine().btf
    runs = 0
    for one, program, linked in zip(made, programs, compile_all(programs, target), strict=True):
        compiled = finish(program, linked)
        maps = [Map.create(spec) for spec in compiled.spec.maps]
        with Loaded.load(compiled.spec, maps, btf) as loaded:
            for number, data in enumerate(_packets(seeds.start)):
                verdict, left = one.run(data)
                done = loaded.test_run(data)
                runs += 1
                assert (s32.wrap(done.retval), done.data) == (verdict, left), (
                    f"{target.cpu}, on {data.hex()}:\n{one.source}"
                )
                if declared and number < PLAIN:
                    seen = bytearray(data)
                    assert (program.py(seen), bytes(seen)) == (verdict, left), (
                        f"plain Python, on {data.hex()}:\n{one.source}"
                    )
    return runs


def _target(cpu: str) -> Target:
    machine = skep.Machine()
    if cpu > machine.cpu:
        pytest.skip(f"this kernel takes BPF {machine.cpu}, not {cpu}")
    return Target(machine.target.types, cpu)


def _run(seeds: range, target: Target, folder: Path, *, declared: bool) -> None:
    for start in range(seeds.start, seeds.stop, BATCH):
        some = range(start, min(start + BATCH, seeds.stop))
        assert _check(some, target, folder, declared=declared) == PACKETS * len(some)


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
def test_random_programs_compute_so_where_long_loops_are_called(tmp_path: Path) -> None:
    """As on kernels before 6.4."""
    target = Target(skep.Machine().target.types, "v3", callbacks=True)
    _run(range(5 * CI, 5 * CI + CALLED), target, tmp_path, declared=False)


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
