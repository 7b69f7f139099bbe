"""The running kernel as the compiler's target."""

from pathlib import Path

from skep.program.machine import Machine


def test_the_kernels_types_are_read_once_in_a_process(tmp_path: Path) -> None:
    cache = str(tmp_path)
    first = Machine(cache).btf
    assert Machine(cache).btf is first
    assert Machine(f"{cache}/other").btf is not first
