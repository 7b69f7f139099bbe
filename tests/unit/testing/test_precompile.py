from pathlib import Path
from types import ModuleType

import pytest

import skep
from skep.lang.spec import ProgramSpec
from skep.lang.syscalls import CLASSIC, RAW
from skep.program.objects import compiled
from skep.testing.precompile import SavedKernel, compile_for, programs, shipped

SCRIPT = """
import skep

@skep.xdp
def in_a_script(packet):
    return 2

if __name__ == "__main__":
    raise SystemExit("a script that is only compiled is not run")
"""


@skep.xdp
def passes(packet):  # type: ignore[no-untyped-def] # its type comes from BTF
    return 2


@skep.xdp
def wrong(packet):  # type: ignore[no-untyped-def] # as above
    return [2]


@skep.xdp
def too_much(packet):  # type: ignore[no-untyped-def] # as above
    some = skep.u64[100]()
    for i in range(100):
        some[i] = skep.u64(i)
    return 2 if some[skep.get_prandom_u32() % 100] else 1


@skep.syscall("openat")
def subscribes(number):  # type: ignore[no-untyped-def] # as above
    return


def module(**names: object) -> ModuleType:
    made = ModuleType("made")
    vars(made).update(names)
    return made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The running kernel, as if it were another."""
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / "btf").write_bytes(Path("/sys/kernel/btf/vmlinux").read_bytes())
    (folder / "build-id").write_text("abcd\n")
    (folder / "cpu").write_text("v3\n")
    return folder


def test_programs_are_module_level_names_each_once() -> None:
    assert programs([module(a=passes, b=passes, c=3), module(d=wrong)]) == [passes, wrong]


def test_a_module_lists_programs_that_stand_elsewhere(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    found = programs([module(PROGRAMS=[passes, script]), module(PROGRAMS=("sh", "true"))])
    assert [program.name for program in found] == ["passes", "in_a_script"]


def test_a_subscriber_of_system_calls_is_compiled_in_both_of_its_forms() -> None:
    found = programs([module(a=subscribes)])
    assert [one.kind for one in found] == [CLASSIC, RAW]
    assert {one.function for one in found} == {subscribes.function}


def test_the_shipped_programs_are_found() -> None:
    found = {module.__name__ for module in shipped()}
    assert {"skep.node.programs.records", "skep.kernel.dispatch.programs.gates"} <= found


def test_what_was_compiled_for_another_kernel_is_then_taken_from_the_cache(
    target: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert compile_for([passes], str(target), str(cache)).refused == {}
    [object_file] = (cache / "objects").iterdir()
    before = object_file.read_bytes()
    [made] = compiled([passes], SavedKernel(str(target), str(cache)))
    assert isinstance(made.spec, ProgramSpec)
    assert object_file.read_bytes() == before


def test_a_program_that_is_wrong_does_not_keep_others_from_being_compiled(
    target: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    made = compile_for([too_much, wrong, passes], str(target), str(cache))
    assert sorted(made.refused) == ["too_much", "wrong"]
    assert "more than the 512 bytes" in str(made.refused["too_much"])
    assert len(list((cache / "objects").iterdir())) == 1
