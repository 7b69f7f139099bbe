"""What a kernel has is known while compiling: fields, numbers, structs and functions."""

import pytest

from skep.lang.tree import Const, If, Place, Return, walk
from skep.lang.types import u32
from skep.lang.values import Memory, Pointer
from tests.unit.lang.kernel import TARGET
from tests.unit.lang.test_front_types import tree

NAMES = (
    'GROUP, NONE_SUCH = skep.kernel_struct("group_info"), skep.kernel_struct("none_such")\n'
    'NUMBERS, NO_ENUM = skep.kernel_enum(), skep.kernel_enum("none_such")\n'
    'KUID, PID = skep.kernel_struct("kuid_t"), skep.kernel_struct("__be32")\n'
    'EMPTY, SINCE, LIMIT = "", 0, 1 << 32\n'
)


def returned(test: str) -> int:
    """The truth value that an expression is while compiling."""
    made = tree(f"return 2 if {test} else 1", before=NAMES)
    (value,) = (node.value for node in walk(*made.body) if isinstance(node, Return))
    assert isinstance(value, Const)
    return value.value == 2


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('hasattr(task, "tgid")', True),
        ('hasattr(task, "exit_mask")', True),
        ('hasattr(task, "nope")', False),
        ('hasattr(task.files.fdt, "max_fds")', True),
        ('hasattr(GROUP, "gid")', True),
        ('hasattr(GROUP, "nope")', False),
        ('hasattr(NONE_SUCH, "gid")', False),
        ('hasattr(STATES, "TCP_LISTEN")', True),
        ('hasattr(STATES, "TCP_NOPE")', False),
        ("NONE_SUCH is None", True),
        ("GROUP is not None", True),
        ("task_from_pid is not None", True),
        ("unknown is None", True),
        ("RUNQUEUES is None", False),
        ("NO_VARIABLE is not None", False),
        ('hasattr(RUNQUEUES, "nr_running")', True),
        ('hasattr(RUNQUEUES, "nope")', False),
        ('hasattr(ACTIVE, "nr_running")', False),
        ('hasattr(NO_VARIABLE, "nr_running")', False),
        ('hasattr(NUMBERS, "BPF_NOEXIST")', True),
        ('hasattr(NUMBERS, "OPT_ERROR")', True),
        ('hasattr(NUMBERS, "TCP_LISTEN")', False),
        ("NUMBERS.BPF_NOEXIST == 1", True),
        ("NUMBERS is None", False),
        ("NO_ENUM is None", True),
        ('hasattr(NO_ENUM, "TCP_LISTEN")', False),
        ('hasattr(KUID, "val")', True),
        ("PID is None", True),
        ("task_from_pid", True),
        ("not unknown", True),
        ("GROUP and not NONE_SUCH", True),
        ("NO_ENUM or NO_VARIABLE", False),
        ("bool(RUNQUEUES)", True),
        ('ord("A") == 65', True),
        ("EMPTY == b''", False),
        ("EMPTY != EMPTY", False),
        ("task.comm.startswith(EMPTY)", True),
        ("task.comm.endswith(EMPTY)", True),
        ("task.comm.find(EMPTY) == 0", True),
        ("EMPTY in task.comm", True),
        ("EMPTY not in task.comm", False),
    ],
)
def test_what_a_kernel_has_decides_while_compiling(test: str, *, expected: bool) -> None:
    assert returned(test) == expected


def test_the_side_of_a_choice_that_a_kernel_lacks_is_left_out() -> None:
    lines = "a, b = unknown(task) if unknown else 1, 2\nreturn 5 if not unknown else unknown(task)"
    made = tree(lines, before=NAMES)
    (value,) = (node.value for node in walk(*made.body) if isinstance(node, Return))
    assert isinstance(value, Const)
    assert value.value == 5


def test_a_struct_that_a_typedef_names_has_that_name() -> None:
    struct = TARGET.types.struct("kuid_t")
    assert struct is not None
    assert (struct.name, struct.size) == ("kuid_t", 4)
    assert TARGET.types.struct("__be32") is None


def test_what_a_kernel_lacks_stands_in_a_branch_that_is_left_out() -> None:
    made = tree(
        """
        n = u64(0)
        if hasattr(task, "nope"):
            n = task.nope
        if unknown is not None:
            n = unknown(task)
        return n
        """,
        before=NAMES,
    )
    assert not any(isinstance(node, If) for node in walk(*made.body))


@pytest.mark.parametrize(
    "test", ["sock.sk_mark < SINCE", "sock.sk_mark >= SINCE", "SINCE > sock.sk_mark"]
)
def test_a_limit_that_is_captured_may_be_nothing(test: str) -> None:
    tree(f"return {test}", before=NAMES)


def test_an_array_without_a_length_is_read_by_probe() -> None:
    made = tree("n = GROUP(u64(task)).gid[task.nice & 3]\nm = n", before=NAMES)
    assert made.variables["n"] is u32
    places = [node for node in walk(*made.body) if isinstance(node, Place) and node.stride]
    assert [(place.base.type.memory, place.stride) for place in places] == [(Memory.PROBE, 4)]
    assert all(isinstance(place.base.type, Pointer) for place in places)
