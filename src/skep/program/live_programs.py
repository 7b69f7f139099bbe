"""A live array of programs: ``live[progs][1] = parse_tcp`` names a program of the same ``load``."""

from collections.abc import Callable, Iterator
from typing import Any

from skep.kernel.nested import Programs
from skep.lang.programs import Program


class LivePrograms:
    """Programs by index. A program is a function that was loaded here, or any live program."""

    def __init__(self, live: Programs, program: Callable[[Program], Any]) -> None:
        self._live, self._program = live, program

    def __setitem__(self, index: int, program: Any) -> None:  # noqa: ANN401 - a Program, or a live one
        """BadInput where the program was not loaded here; KernelError [EINVAL] where it is of another kind."""
        self._live[index] = self._program(program) if isinstance(program, Program) else program

    def __getitem__(self, index: int) -> int:
        """The id of the program at an index."""
        return self._live[index]

    def __delitem__(self, index: int) -> None:
        del self._live[index]

    def __contains__(self, index: int) -> bool:
        return index in self._live

    def __iter__(self) -> Iterator[int]:
        """The places that hold a program."""
        return iter(self._live)

    def __len__(self) -> int:
        return len(self._live)
