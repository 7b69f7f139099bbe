"""What kernels differ in is known while compiling, and one program serves for all of them."""

import resource
from types import SimpleNamespace

import skep
from tests.kernel.lang.differing import programs


def test_a_parameter_that_no_kernel_gives_is_none() -> None:
    told = skep.run(programs.takes_what_there_is, (0, 0)).maps[programs.told][0]
    assert (told.calls, told.given & ~1, told.more) == (1, 0, -7)
    kernel = skep.FakeKernel()
    programs.takes_what_there_is.py(SimpleNamespace(), kernel=kernel)
    plain = kernel[programs.told]
    assert (plain.calls, plain.given, plain.more) == (1, 0, -7)


def test_numbers_of_enumerations_without_a_name_are_known() -> None:
    assert skep.run(programs.has_numbers, bytes(14)).verdict == 20


def test_a_struct_that_a_typedef_names_is_seen() -> None:
    told = skep.run(programs.by_a_name_of_c, (0, 0)).maps[programs.told][0]
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert (told.seen, told.own) == (soft, soft)
