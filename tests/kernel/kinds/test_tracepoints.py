"""Fields of tracepoints whose content is behind their record are text in a program."""

import os
from types import SimpleNamespace

import pytest

import skep
from tests.kernel.kinds.programs.tracepoints import mine, started, tells_names

ENV = "/usr/bin/env"
ANSWER = (ENV, len(ENV) + 1, ord("/"))


@pytest.mark.requires("prog.tracepoint", "fs.tracefs")
def test_text_behind_a_record_is_read() -> None:
    with skep.load(tells_names) as live:
        child = os.fork()
        if not child:
            live[mine][os.getpid()] = 1
            os.execv(ENV, [ENV, "true"])
        os.waitpid(child, 0)
        seen = [dict(event) for event in live[started].poll()]
    assert [(e["name"], e["length"], e["first"]) for e in seen[:1]] == [ANSWER]


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel()
    kernel[mine][7] = 1
    for pid in (7, 8):
        tells_names.py(SimpleNamespace(pid=pid, filename=b"/usr/bin/env\0"), kernel=kernel)
    seen = [dict(event) for event in kernel[started].poll()]
    assert [(e["name"], e["length"], e["first"]) for e in seen] == [ANSWER]
