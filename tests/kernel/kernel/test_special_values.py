"""Which kinds of programs use maps whose values have locks and timers: the compiler's table is the kernel's answer."""

from typing import Any

import pytest

from skep.base.errors import VerifierError
from skep.btf.reader import Btf
from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.lang.front.methods import REFUSING
from skep.lang.kinds import KINDS
from skep.lang.spec import MapReference, MapSpec, MapType
from skep.lang.special import SpinLock, Timer
from skep.lang.struct import Struct
from skep.lang.types import u32, u64
from tests.kernel.kernel.samples import LOAD_MAP, program, returns

KIND_NAMES = (
    ("raw_tp", "sched_switch"),
    ("tracepoint", ""),
    ("perf_event", ""),
    ("kprobe", ""),
    ("socket_filter", ""),
    ("tp_btf", "sched_switch"),
    ("tcx_ingress", ""),
    ("xdp", ""),
)


class Locked(Struct):
    lock: SpinLock
    n: u64


class Timed(Struct):
    timer: Timer
    n: u64


@pytest.mark.parametrize(("value", "special"), [(Locked, SpinLock), (Timed, Timer)])
@pytest.mark.parametrize(("kind", "target"), KIND_NAMES)
def test_a_kind_uses_such_a_map_or_does_not(
    btf: Btf,
    value: Any,  # noqa: ANN401 - a class of Structs
    special: Any,  # noqa: ANN401 - the same
    kind: str,
    target: str,
) -> None:
    spec = MapSpec("skep_probe", MapType.ARRAY, u32, value, 1)
    code = LOAD_MAP + returns(KINDS[kind].default)
    made = program(kind, target, code, references=(MapReference(0, 0),), maps=(spec,))
    with Map.create(spec) as held:
        name = special.btf_name.removeprefix("bpf_")
        if KINDS[kind].family in REFUSING[special]:
            with pytest.raises(VerifierError, match=f"values have a {name}"):
                Program.load(made, [held], btf)
        else:
            Program.load(made, [held], btf).close()
