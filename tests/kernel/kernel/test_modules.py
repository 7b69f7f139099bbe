"""The types of modules as the kernel holds them. Its own go by the name vmlinux, so that every machine has some."""

from pathlib import Path

import pytest

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.writer import Builder
from skep.kernel import commands, modules
from skep.kernel.bpf import DOOR
from skep.kernel.vmlinux import BLOB


def test_types_are_found_by_the_name_of_their_module() -> None:
    fd = modules.opened("vmlinux", DOOR)
    try:
        assert commands.btf_data(DOOR, fd) == Path(BLOB).read_bytes()
    finally:
        DOOR.close(fd)


def test_a_module_that_is_not_loaded_is_said() -> None:
    with pytest.raises(Unsupported, match=r"no_such_module: it is not loaded here.*modprobe"):
        modules.opened("no_such_module", DOOR)
    assert modules.digest("no_such_module") == ""


def test_the_modules_that_have_a_function_are_told(tmp_path: Path) -> None:
    make = Builder()
    make.integer("int", 4, signed=True)
    base = Btf(make.build())
    for name, function in (("one", "poll"), ("two", "xmit"), ("three", "poll")):
        own = Builder(base.count, base.string_end)
        own.func(function, own.prototype(0, ()))
        (tmp_path / name).write_bytes(own.build())
    assert modules.holding("poll", base, directory=str(tmp_path)) == ["one", "three"]
    assert modules.holding("poll", base, directory=str(tmp_path / "none")) == []


def test_a_digest_is_of_the_types(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"types")
    (tmp_path / "two").write_bytes(b"other types")
    one, two = (modules.digest(name, directory=str(tmp_path)) for name in ("one", "two"))
    assert one != two
    assert len(one) == 64
