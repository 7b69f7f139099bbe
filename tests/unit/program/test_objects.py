"""Compiled programs from the cache: what is kept, what is asked again, and what a broken cache costs."""

import os
from collections import Counter
from pathlib import Path

import pytest

import skep
from skep.base.errors import CompileError
from skep.lang.front.scope import Formats, Target, no_formats
from skep.lang.private import CacheRefusal, Reason
from skep.lang.programs import Program
from skep.lang.struct import Struct
from skep.lang.types import u32, u64
from skep.program.objects import compiled, compiler_identity, key
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

SOURCE = "@skep.xdp\ndef p(ctx):\n    counts.increment(1)\n    return 2\n"


class Host:
    """A kernel to compile for; ``asked`` counts how often the compiler wanted its types."""

    def __init__(
        self,
        cache: Path | str,
        identity: str = "one",
        cpu: str = "v3",
        formats: Formats = no_formats,
    ) -> None:
        self.cache, self.identity, self.cpu = str(cache), identity, cpu
        self.formats = formats
        self.refusals = Counter[CacheRefusal]()
        self.asked = 0
        self.build = "Monday"

    def module_identity(self, name: str) -> str:
        return f"{name} of {self.build}"

    @property
    def target(self) -> Target:
        self.asked += 1
        return Target(TARGET.types, self.cpu, self.formats)


def program(source: str = SOURCE, file: str = "cached.py") -> Program:
    return corpus.program(source, file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cache that only we may write to."""
    made = tmp_path / "cache"
    made.mkdir(mode=0o700)
    return made


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_program_is_compiled_once(folder: Path) -> None:
    first, second = Host(folder), Host(folder)
    (made,) = compiled([program()], first)
    (again,) = compiled([program()], second)
    assert (first.asked, second.asked) == (1, 0)
    assert made.spec == again.spec
    assert len(entries(folder)) == 1


def test_only_what_is_missing_is_compiled(folder: Path) -> None:
    other = program(SOURCE.replace("return 2", "return 1"), "other.py")
    compiled([program()], Host(folder))
    before = entries(folder)
    both = compiled([program(), other], Host(folder))
    assert [one.spec.name for one in both] == ["p", "p"]
    assert both[0].spec.insns != both[1].spec.insns
    assert set(before) < set(entries(folder))
    assert len(entries(folder)) == 2


@pytest.mark.parametrize("change", [{"identity": "two"}, {"cpu": "v4"}])
def test_another_kernel_or_instruction_set_is_another_object(
    folder: Path, change: dict[str, str]
) -> None:
    compiled([program()], Host(folder))
    host = Host(folder, change.get("identity", "one"), change.get("cpu", "v3"))
    compiled([program()], host)
    assert host.asked == 1


def test_the_key_tells_programs_apart_by_all_that_they_are() -> None:
    host = Host("")
    heads = (
        "@skep.xdp",
        '@skep.tc("ingress")',
        '@skep.tp_btf("sched_switch")',
        '@skep.tp_btf("sys_enter")',
        '@skep.raw_tp("sys_enter")',
    )
    keys = [key(program(SOURCE.replace(heads[0], head)), host, "compiler") for head in heads]
    assert len(set(keys)) == len(keys)
    assert key(program(), host, "another compiler") not in keys
    assert key(program(), host, "compiler") == keys[0]


def test_one_function_on_two_hooks_is_two_objects() -> None:
    function = program().function
    made = [skep.tp_btf(name)(function) for name in ("sched_switch", "sys_enter")]
    assert len({key(one, Host(""), "") for one in made}) == 2


def test_the_format_of_a_tracepoint_is_part_of_its_key() -> None:
    class One(Struct):
        nr: u32

    class Two(Struct):
        nr: u64

    made = program(SOURCE.replace("@skep.xdp", '@skep.tracepoint("a/b")'))
    keys = {key(made, Host("", formats=lambda _c, _n, f=form: f), "") for form in (One, Two, None)}  # type: ignore[misc]
    assert len(keys) == 3


def test_a_kernel_without_an_identity_and_a_host_without_a_cache_keep_nothing(folder: Path) -> None:
    compiled([program()], Host(folder, identity=""))
    compiled([program()], Host(""))
    assert entries(folder) == []


@pytest.mark.parametrize("content", [b"", b"planted", b"\0" * 5000])
def test_an_object_that_is_broken_is_made_anew_and_told(folder: Path, content: bytes) -> None:
    (made,) = compiled([program()], Host(folder))
    (path,) = entries(folder)
    path.write_bytes(content)
    host = Host(folder)
    (again,) = compiled([program()], host)
    assert again.spec == made.spec
    assert [refusal.reason for refusal in host.refusals] == [Reason.CORRUPT]
    third = Host(folder)
    compiled([program()], third)
    assert third.asked == 0


def test_a_cache_that_others_may_write_to_is_not_used(folder: Path) -> None:
    compiled([program()], Host(folder))
    os.chmod(folder / "objects", 0o777)
    host = Host(folder)
    compiled([program()], host)
    assert host.asked == 1
    assert Reason.WRITABLE in {refusal.reason for refusal in host.refusals}


def test_a_program_that_is_wrong_leaves_nothing_in_the_cache(folder: Path) -> None:
    with pytest.raises(CompileError):
        compiled(
            [program(), program("@skep.xdp\ndef p(ctx):\n    return nothing\n", "w.py")],
            Host(folder),
        )
    assert entries(folder) == []


def test_the_compiler_is_identified_by_its_files() -> None:
    assert compiler_identity() == compiler_identity()
    assert len(compiler_identity()) == 64


def test_the_compilers_files_are_looked_at_once_in_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = compiler_identity()
    monkeypatch.setattr(os, "walk", lambda _root: iter(()))
    assert compiler_identity() == first


@pytest.mark.parametrize(
    "source",
    [
        '@skep.fentry("veth:veth_poll")\ndef p(rq):\n    return 0\n',
        "@skep.xdp\ndef p(ctx):\n    return 1 if queue_of is None else 2\n",
    ],
)
def test_another_build_of_a_module_is_another_program(folder: Path, source: str) -> None:
    """The module is no part of the kernel's build id: one may be built anew, and its structs be others."""
    made, host = corpus.program(source), Host(folder)
    before = key(made, host, "compiler")
    host.build = "Tuesday"
    assert key(made, host, "compiler") != before
    assert key(program(), host, "compiler") == key(program(), Host(folder), "compiler")
