"""The types of programs that link objects into lists and trees: which ones a program shares with its maps.

To the kernel the types of a map never change. So programs that are loaded together have theirs in common, and one that
comes later takes those of the maps that it uses. Owns what the kernel was told; nothing of it is asked of the kernel.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from skep.base.errors import BadInput
from skep.base.lazy import lazy
from skep.kernel.commands import Layout
from skep.kernel.programs import OWN, Types
from skep.lang.finish import Compiled
from skep.lang.maps import Declaration
from skep.lang.objects import links
from skep.lang.spec import MapSpec, ProgramSpec

shared_types = lazy("skep.kernel.shared_types")  # only objects need them

if TYPE_CHECKING:
    from skep.kernel.shared_types import SharedTypes


class LinkedTypes:
    """The shared types of one ``Live``, and the maps that were made of them."""

    def __init__(self) -> None:
        self._every: list[SharedTypes] = []
        self._by_map: dict[int, SharedTypes] = {}

    def share(self, made: Sequence[Compiled]) -> list[Compiled]:
        """The same programs; those that link objects have their types in common with each other, and with their maps.

        They are loaded after one call of this.
        """
        linking = [one for one in made if links(one.spec)]
        if not linking:
            return list(made)
        types = shared_types.SharedTypes.make([one.spec for one in linking])
        self._every.append(types)
        specs = {id(one): spec for one, spec in zip(linking, types.specs, strict=True)}
        return [replace(one, spec=specs.get(id(one), one.spec)) for one in made]

    def tell(self, name: str, made: Compiled) -> Compiled:
        """The same program; one that links objects, and came alone, with types of its own or with those of its maps.

        BadInput where it would link what the programs of these maps know nothing of.
        """
        if not links(made.spec) or self._of(made.spec) is not None:
            return made
        known = [self._by_map[id(one)] for one in made.maps if id(one) in self._by_map]
        if not known:
            return self.share([made])[0]
        same = all(one is known[0] for one in known)
        spec = known[0].join(made.spec) if same else None
        if spec is None:
            problem = (
                "it uses lists or trees of programs that were loaded before, and has a global "
                "function, or links objects or uses lists that those do not"
            )
            hint = "load it by skep.load, with all that use its maps"
            raise BadInput(name, problem, hint)
        return replace(made, spec=spec)

    def of(self, spec: ProgramSpec) -> Types:
        """What a program is loaded with in place of types of its own."""
        types = self._of(spec)
        return types.types(spec) if types else OWN

    def layout(self, program: ProgramSpec, declared: Declaration, spec: MapSpec) -> Layout | None:
        """The types that a map is made of when this program is the first to use it; None where it links nothing."""
        types = self._of(program)
        layout = types.layout(spec) if types else None
        if types and layout:
            self._by_map.setdefault(id(declared), types)
        return layout

    def _of(self, spec: ProgramSpec) -> "SharedTypes | None":
        """What a program shares; None where it links nothing, or was not told of yet."""
        own = (one for one in self._every if any(spec is known for known in one.specs))
        return next(own, None)

    def close(self) -> None:
        """Gives the descriptors back; programs and maps keep their types."""
        for one in self._every:
            one.close()
