import os
import resource
import subprocess
import textwrap
from pathlib import Path
from unittest.mock import ANY

import pytest

from skep.base.errors import CompileError
from skep.lang import backend
from skep.lang.backend import Backend, IrModule, emit
from tests.unit.lang.modules import HEAD, compiled, text

SMALL = text("small")


def body(lines: str, arguments: str = "ptr %ctx") -> str:
    return f"{HEAD}define i64 @f({arguments}) {{\n{lines}\n}}\n"


def script(folder: Path, lines: str) -> str:
    """A child in place of the real one."""
    path = folder / "child.py"
    path.write_text(textwrap.dedent(lines))
    return str(path)


def refusal(module: IrModule) -> CompileError:
    with pytest.raises(CompileError) as caught:
        emit([module])
    assert '.py", line' not in str(caught.value)
    return caught.value


def test_each_module_becomes_an_object_of_its_own_in_order() -> None:
    other = SMALL.replace("@small", "@other")
    objects = emit([IrModule("a", SMALL), IrModule("b", other, "v4"), IrModule("c", SMALL)])
    assert [o[:4] for o in objects] == [b"\x7fELF"] * 3
    assert [b"small\0" in o.split(b".strtab")[-1] + o for o in objects] == [True, True, True]
    assert objects[0] == objects[2] != objects[1]


def test_an_object_does_not_depend_on_what_is_compiled_beside_it() -> None:
    together = emit([IrModule("e", text("everything")), IrModule("s", SMALL)])
    assert together == [compiled("everything"), compiled("small")]


def test_no_modules_take_no_child() -> None:
    assert emit([]) == []


def test_cpu_v4_has_instructions_that_v3_lacks() -> None:
    signed = SMALL.replace("udiv", "sdiv")
    assert emit([IrModule("signed", signed, "v4")])
    error = refusal(IrModule("signed", signed, "v3"))
    assert str(error) == (
        "small.py:2:12: error: the compiler's back end refused signed: unsupported signed "
        "division, please convert to unsigned div/mod.\n"
        "  hint: make both sides unsigned; signed // and % need Linux 6.6"
    )
    assert error.span is not None
    assert (error.span.file, error.span.line, error.span.column) == ("small.py", 2, 12)


def test_the_module_that_ends_llvm_is_the_one_that_is_named() -> None:
    bad = body("%a = load atomic i64, ptr %ctx acquire, align 8\nret i64 %a")
    with pytest.raises(CompileError) as caught:
        emit([IrModule("good", SMALL), IrModule("bad", bad), IrModule("later", SMALL)])
    assert "refused bad: Cannot select" in caught.value.problem
    assert "good" not in caught.value.problem


CALL = "call i64 inttoptr (i64 5 to ptr)(ptr %a)\nret i64 0"
LARGE = f"%a = alloca [600 x i8]\n{CALL}"
SIZED = f"%n = load i64, ptr %ctx\n%a = alloca i8, i64 %n\n{CALL}"
FLOAT = "%n = load double, ptr %ctx\n%m = fadd double %n, 1.0\nstore double %m, ptr %ctx\nret i64 0"
UNSET = "br i1 undef, label %a, label %b\na:\n%x = add i64 0, 1\nbr label %b\nb:\nret i64 %x"


@pytest.mark.parametrize(
    ("lines", "said", "hint"),
    [
        (SIZED, "dynamic stack", "fixed"),
        (FLOAT, "__adddf3", "integers"),
        (UNSET, "does not dominate", ""),
        ("ret i32 0", "function result type", ""),
        ("garbage", "expected instruction opcode", ""),
    ],
)
def test_what_llvm_refuses_is_told_in_its_first_line(lines: str, said: str, hint: str) -> None:
    error = refusal(IrModule("f", body(lines)))
    assert error.problem.startswith("the compiler's back end refused f: ")
    assert said in error.problem
    assert "\n" not in error.problem
    assert hint in error.hint


def test_more_stack_than_there_is_is_told_in_words_of_the_language() -> None:
    error = refusal(IrModule("f", body(LARGE)))
    assert (
        error.problem
        == "the local variables of f have more than the 512 bytes of a program's stack"
    )
    assert "PerCpuArray" in error.hint


def test_a_module_for_another_layout_is_refused() -> None:
    assert "layout" in refusal(IrModule("f", "define i64 @f() { ret i64 0 }")).problem


def test_an_unknown_cpu_is_refused() -> None:
    assert "'v9'; there are v3, v4" in refusal(IrModule("f", SMALL, "v9")).problem


def test_text_that_is_not_ascii_reaches_the_object() -> None:
    source = "# \\C3\\A4\\0A    return ctx[0] // 3\\0A"
    changed = SMALL.replace("def small(ctx):\\0A    return ctx[0] // 3\\0A", source)
    assert "ä".encode() in emit([IrModule("f", changed.replace("line: 2", "line: 1"))])[0]


def test_a_child_that_is_killed_is_started_again(tmp_path: Path) -> None:
    lines = f"""
        import os, runpy
        if not os.path.exists({str(tmp_path / "mark")!r}):
            open({str(tmp_path / "mark")!r}, "w").close()
            os.kill(os.getpid(), 9)
        runpy.run_path({backend._SCRIPT!r}, run_name="__main__")
    """
    with Backend(script=script(tmp_path, lines)) as child:
        assert child.emit([IrModule("small", SMALL)]) == [compiled("small")]


def test_a_child_that_is_killed_twice_is_an_error(tmp_path: Path) -> None:
    lines = "import os; os.kill(os.getpid(), 9)"
    with Backend(script=script(tmp_path, lines)) as child, pytest.raises(CompileError) as caught:
        child.emit([IrModule("small", SMALL)])
    assert caught.value.problem == ("the compiler's back end was killed twice at small (signal 9)")
    assert "memory" in caught.value.hint


def test_a_child_that_computes_too_long_is_ended(tmp_path: Path) -> None:
    with Backend(script=script(tmp_path, "while True: pass"), seconds=1) as child:
        with pytest.raises(CompileError) as caught:
            child.emit([IrModule("small", SMALL)])
        assert caught.value.problem.endswith("took more than 1 s of a processor for small")
        assert "smaller" in caught.value.hint


def test_a_child_that_neither_reads_nor_ends_is_ended_and_leaves_nothing_open(
    tmp_path: Path,
) -> None:
    lines = "import time; time.sleep(60)"
    with Backend(script=script(tmp_path, lines), patience=0.2) as child:
        process = child._child
        with pytest.raises(CompileError) as caught:
            child.emit([IrModule("small", SMALL + " " * (1 << 20))])
        assert "did not end within 0.2 s at small" in caught.value.problem
    assert all(one.closed for one in (process.stdin, process.stdout, process.stderr))


def test_an_interrupted_emit_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with Backend(script=script(tmp_path, "import time; time.sleep(60)")) as child:
        process = child._child
        monkeypatch.setattr(process, "communicate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            child.emit([IrModule("small", SMALL)])
    assert process.returncode == -9
    assert all(one.closed for one in (process.stdin, process.stdout, process.stderr))


@pytest.mark.parametrize(("given", "then"), [("ulimit -t 5", (5, 5)), (":", (60, ANY))])
def test_a_lower_limit_of_the_machine_stays(given: str, then: tuple[int, object]) -> None:
    command = ["sh", "-c", f"{given}; echo; read line"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        backend._limit(child.pid, 60)
        assert resource.prlimit(child.pid, resource.RLIMIT_CPU) == then
        child.kill()


def test_an_llvmlite_that_cannot_be_loaded_is_told_without_a_traceback(tmp_path: Path) -> None:
    lines = "raise ImportError('libstdc++.so.6: cannot open shared object file')"
    with Backend(script=script(tmp_path, lines)) as child, pytest.raises(CompileError) as caught:
        child.emit([IrModule("small", SMALL)])
    assert caught.value.problem == (
        "the compiler's back end refused small: libstdc++.so.6: cannot open shared object file"
    )


def test_an_answer_that_is_cut_short_is_no_object(tmp_path: Path) -> None:
    lines = "import sys; sys.stdout.write('o' + chr(9) * 3); sys.exit(3)"
    with Backend(script=script(tmp_path, lines)) as child, pytest.raises(CompileError) as caught:
        child.emit([IrModule("small", SMALL)])
    assert caught.value.problem.endswith("it ended with status 3")


def test_an_interpreter_that_is_not_there_is_an_error() -> None:
    with pytest.raises(CompileError) as caught, Backend(python="/nonexistent/python"):
        pass
    assert "cannot start /nonexistent/python" in caught.value.problem


def test_a_backend_leaves_no_process() -> None:
    with Backend() as child:
        pid = child._child.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
