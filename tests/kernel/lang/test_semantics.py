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
from tests.kernel.lang.random_programs import Generator
from tests.kernel.lang.reference import HEADER, Program, packet

pytestmark = pytest.mark.native("compiles random programs")
CI, SOAK = 300, 6000
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
    made = [Generator(seed, declared).program() for seed in seeds]
    module = _module(folder / f"random_{seeds.start}_{declared}_{target.cpu}.py", made)
    programs = [getattr(module, one.name) for one in made]
    runs = 0
    for one, program, linked in zip(made, programs, compile_all(programs, target), strict=True):
        compiled = finish(program, linked)
        maps = [Map.create(spec) for spec in compiled.spec.maps]
        with Loaded.load(compiled.spec, maps) as loaded:
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


@pytest.mark.parametrize("cpu", ["v3", "v4"])
@pytest.mark.parametrize("declared", [True, False])
def test_random_programs_compute_what_the_rules_say(
    tmp_path: Path, cpu: str, *, declared: bool
) -> None:
    target = _target(cpu)
    count = CI // 4
    first = {"v3": 0, "v4": 2 * CI}[cpu] + declared * CI
    for start in range(first, first + count, BATCH):
        seeds = range(start, min(start + BATCH, first + count))
        assert _check(seeds, target, tmp_path, declared=declared) == PACKETS * len(seeds)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("cpu", ["v3", "v4"])
def test_many_random_programs_compute_what_the_rules_say(tmp_path: Path, cpu: str) -> None:
    target = _target(cpu)
    for start in range(10_000, 10_000 + SOAK, BATCH):
        _check(range(start, start + BATCH), target, tmp_path, declared=bool(start // BATCH % 2))
