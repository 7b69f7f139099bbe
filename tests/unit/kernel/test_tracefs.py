"""Formats of tracepoints become Structs with the kernel's own offsets."""

import errno
from pathlib import Path

import pytest

from skep.base.errors import Forbidden, Unsupported
from skep.kernel.tracefs import Tracefs, layout, parse
from skep.lang.located import Located, located
from skep.lang.types import char, s32, s64, u8, u16, u32, u64
from skep.testing.door import FakeDoor

COMMON = """name: %s
ID: %d
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""
SWITCH = COMMON % ("sched_switch", 372) + (
    "\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
    "\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;\n"
    "\tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;\n"
    '\nprint fmt: "prev_comm=%s field:int trap;", REC->prev_comm\n'
)
OPENAT = COMMON % ("sys_enter_openat", 782) + (
    "\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
    "\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;\n"
    "\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;\n"
)
ODD = COMMON % ("odd", 9) + (
    "\tfield:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;\n"
    "\tfield:__u8 saddr[4];\toffset:12;\tsize:4;\tsigned:0;\n"
    "\tfield:u32 unaligned;\toffset:18;\tsize:4;\tsigned:0;\n"
    "\tfield:struct thing body;\toffset:24;\tsize:12;\tsigned:0;\n"
    "\tfield:unsigned long args[6];\toffset:40;\tsize:48;\tsigned:0;\n"
    "\tfield:__rel_loc unsigned char[] raw;\toffset:88;\tsize:4;\tsigned:0;\n"
    "\tfield:__data_loc cpumask_t cpus;\toffset:92;\tsize:4;\tsigned:0;\n"
    "\tfield:char buf[];\toffset:96;\tsize:0;\tsigned:0;\n"
)


def test_every_field_lies_where_the_kernel_says() -> None:
    for text in (SWITCH, OPENAT, ODD):
        fields = [field for field in parse(text) if field.size]
        found = layout("x", tuple(fields))
        for field in fields:
            member = found.field(field.name)
            assert member is not None
            assert (member.offset, member.type.size) == (field.offset, field.size)


def test_types_follow_size_and_sign() -> None:
    found = layout("x", parse(SWITCH))
    types = {f.name: f.type for f in found.fields}
    assert types["common_type"] is u16
    assert types["prev_comm"] == char[16]
    assert types["prev_pid"] is s32
    assert types["prev_state"] is s64
    assert "trap" not in types


def test_an_argument_of_a_system_call_is_a_whole_register() -> None:
    types = {f.name: f.type for f in layout("x", parse(OPENAT)).fields}
    assert (types["dfd"], types["filename"]) == (u64, u64)


def test_a_field_that_is_elsewhere_says_what_lies_there() -> None:
    types = {f.name: f.type for f in layout("x", parse(ODD)).fields}
    elsewhere = {
        name: kind
        for name, kind in types.items()
        if isinstance(kind, type) and issubclass(kind, Located)
    }
    assert {name: (kind.element, kind.relative) for name, kind in elsewhere.items()} == {
        "name": (char, False),
        "raw": (u8, True),
        "cpus": (None, False),
    }
    assert all(issubclass(kind, u32) for kind in elsewhere.values())
    assert {field.name for field in parse(ODD) if field.dynamic} == set(elsewhere)
    assert types["name"] is located("__data_loc char[]")


def test_odd_fields_become_bytes() -> None:
    types = {f.name: f.type for f in layout("x", parse(ODD)).fields}
    assert types["saddr"] == u8[4]
    assert types["unaligned"] == u8[4]
    assert types["body"] == u8[12]
    assert types["args"] == u64[6]
    assert "buf" not in types


@pytest.fixture
def tracefs(tmp_path: Path) -> Tracefs:
    for event, text in (("sched/sched_switch", SWITCH), ("syscalls/sys_enter_openat", OPENAT)):
        folder = tmp_path / "events" / event
        folder.mkdir(parents=True)
        (folder / "format").write_text(text)
        (folder / "id").write_text(text.split("ID: ")[1].split("\n")[0] + "\n")
    return Tracefs.open((str(tmp_path),))


def test_a_mounted_tracefs_is_used_and_left_alone(tracefs: Tracefs) -> None:
    with tracefs:
        assert tracefs.event_id("sched/sched_switch") == 372
        assert tracefs.events() == ["sched/sched_switch", "syscalls/sys_enter_openat"]
        assert tracefs.events("sched") == ["sched/sched_switch"]
        found = tracefs.formats("syscalls", "sys_enter_openat")
        assert found is not None
        assert found.size == 32


@pytest.mark.parametrize(
    "event", ["sched/sched_swich", "sched", "sched/", "sched/../x", "/etc", ""]
)
def test_what_is_no_tracepoint_is_unsupported(tracefs: Tracefs, event: str) -> None:
    with pytest.raises(Unsupported):
        tracefs.event_id(event)
    category, _, name = event.partition("/")
    assert tracefs.formats(category, name) is None


def test_a_misspelt_tracepoint_names_the_nearest(tracefs: Tracefs) -> None:
    with pytest.raises(Unsupported, match="sched/sched_switch"):
        tracefs.fields("sched/sched_swich")


def test_without_a_tracefs_it_is_unsupported_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="cannot be opened"):
        Tracefs.open((str(tmp_path / "none"),), door=FakeDoor())


class Unprivileged(FakeDoor):
    """A process that may mount nothing."""

    def mount_detached(self, kind: str) -> int:
        """Refuse."""
        raise PermissionError(errno.EPERM, kind)


def test_who_may_not_open_tracefs_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Forbidden, match="CAP_SYS_ADMIN") as caught:
        Tracefs.open((str(tmp_path / "none"),), door=Unprivileged())
    assert caught.value.action == "opening tracefs"


def test_functions_of_modules_are_not_listed(tmp_path: Path) -> None:
    listed = "vfs_read\nnft_do_chain [nf_tables]\ntcp_v4_rcv\n"
    (tmp_path / "available_filter_functions").write_text(listed)
    assert Tracefs(str(tmp_path)).functions() == ["vfs_read", "tcp_v4_rcv"]
    with pytest.raises(Unsupported, match="does not list the functions"):
        Tracefs(str(tmp_path / "none")).functions()


def test_a_tracefs_of_our_own_is_given_back_once() -> None:
    door = FakeDoor()
    fd = door.perf_event_open(b"", -1, 0)  # any descriptor
    with Tracefs("/nowhere", fd=fd, door=door) as tracefs:
        assert fd in door.open
    assert door.open == {}
    tracefs.close()
