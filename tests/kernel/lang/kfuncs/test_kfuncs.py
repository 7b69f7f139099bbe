"""Functions of the kernel are called by name, with the types that it tells."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import skep
from skep.lang.plain.numbers import Number
from tests.kernel.kinds.programs import renamed
from tests.kernel.lang.both import live, packets
from tests.kernel.lang.kfuncs import programs

PROGRAMS = list(renamed.all_of(programs))


@pytest.mark.requires("kfunc.bpf_task_from_pid")
def test_a_kernel_function_gives_an_object_that_is_given_back() -> None:
    with skep.load(programs.parents) as live:
        with subprocess.Popen(["true"]) as child:
            child.wait()
        assert live[programs.numbers][child.pid] > 0


@pytest.mark.requires("kfunc.bpf_task_from_pid")
def test_what_is_not_given_back_is_said_in_the_users_lines() -> None:
    with pytest.raises(skep.VerifierError) as caught:
        skep.load(programs.leaks, attach=False)
    assert "programs.py" in str(caught.value)


@pytest.mark.requires("kfunc.bpf_dynptr_from_skb")
def test_a_packet_is_read_through_a_dynptr() -> None:
    assert skep.run(programs.reads, bytes(128)).verdict == 128


@pytest.mark.requires("link.kprobe_session")
@pytest.mark.requires("kfunc.bpf_session_cookie")
def test_a_number_that_a_function_gives_in_memory_is_changed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with skep.load(programs.keeps_a_number.here) as loaded:
        loaded[programs.own][os.getpid()] = 1
        (tmp_path / "file").unlink()
        assert loaded[programs.kept_until_the_end][1] > 0
        assert loaded[programs.kept_until_the_end][0] == os.getpid() + 1


def test_an_address_that_the_verifier_does_not_look_at_is_an_argument() -> None:
    plain = {
        "bpf_strlen": lambda at: -14 if isinstance(at, int) else len(bytes(at).split(b"\0")[0])
    }
    assert skep.run(programs.measures, bytes(64)).verdict in (3, 99)
    assert programs.measures.py(bytes(64), kernel=skep.FakeKernel(helpers=plain)) == 3


@pytest.mark.requires("kfunc.bpf_strcmp")
def test_text_is_written_out_where_any_address_is_taken() -> None:
    assert skep.run(programs.looks_for_text, bytes(64)).verdict == 21


def test_plain_python_takes_a_fake() -> None:
    released: list[object] = []
    helpers = {
        "bpf_task_from_pid": lambda pid: SimpleNamespace(tgid=pid),
        "bpf_task_release": released.append,
    }
    kernel = skep.FakeKernel(helpers=helpers)
    task = SimpleNamespace(tgid=5, real_parent=SimpleNamespace(tgid=3))
    programs.parents.py(task, 0, None, kernel=kernel)
    assert dict(kernel[programs.numbers]) == {5: 3}
    assert len(released) == 1
    with pytest.raises(TypeError, match=r"no bpf_task_from_pid\(\); give one"):
        programs.parents.py(task, 0, None)


def strtol(text: Any, _base: int, number: Any) -> int:  # noqa: ANN401 - memory of a program
    """The helper of that name, in plain Python."""
    digits = bytes(text).split(b"\0")[0]
    if isinstance(number, Number) and number.place is not None:
        number.place.store(int(digits))
    else:
        number[0] = int(digits)
    return len(digits)


def test_a_helper_gives_a_number_in_memory() -> None:
    given = list(packets(5, 6))
    kernel = skep.FakeKernel(helpers={"strtol": strtol})
    left = [programs.reads_a_number.py(data, kernel=kernel) for data in given]
    assert [verdict for verdict, _ in live(programs.reads_a_number, given)] == left
    assert len(set(left)) > 2
