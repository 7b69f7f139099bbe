"""Where an error says that something lies, there it is."""

import pytest

from skep.lang.front.looked_for import KNOWN
from skep.lang.values import KernelPointer
from skep.program.machine import Machine

WAYS = [(struct, way) for struct, names in KNOWN.items() for way in names.values()]


@pytest.mark.parametrize(("struct", "way"), WAYS, ids=lambda one: one)
def test_a_way_leads_through_the_fields_of_the_running_kernel(struct: str, way: str) -> None:
    types = Machine().target.types
    at = types.struct(struct)
    for name in way.split("."):
        assert at is not None
        found = types.member(at, name)
        assert found is not None, f"{struct}.{way}: {name}"
        at = found.type.target if isinstance(found.type, KernelPointer) else found.type
