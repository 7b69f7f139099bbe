"""How types lie in memory is known while compiling."""

import pytest

import skep
from skep.btf.types import Kind
from tests.kernel.lang.sizes import programs


def test_a_programs_own_types_are_told_as_in_plain_python() -> None:
    verdict = 40 * 10_000 + 8 * 100 + 128
    assert skep.run(programs.own_types, bytes(128)).verdict == verdict
    assert programs.own_types.py(bytes(128)) == verdict


def test_the_kernels_types_are_told_as_they_lie_there() -> None:
    with pytest.raises(TypeError, match="a type of the program's own has"):
        programs.a_kernels_type.py(bytes(64))
    done = skep.run(programs.kernel_types, (0, 0))
    told = done.maps[programs.told]
    assert told[0] == told[1] > 0
    types = skep.Machine().btf
    assert types is not None
    number = types.find(Kind.STRUCT, "task_struct")
    assert number is not None
    assert (told[2], told[3]) == (types.size(number), 16)
    assert 0 < told[4] < told[2]
