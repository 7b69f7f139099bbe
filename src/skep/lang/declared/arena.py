"""Declarations of arenas: memory that programs and Python share, without bounds that a program has to prove."""

from typing import Unpack

from skep.lang.maps import MMAPABLE, NAME, Global, Options
from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import StructType

PAGE = 4096
MOST = 4 << 30


class Arena(Global):
    """``Arena(Struct)``: one value of up to 4 GB, whose arrays take any index. Linux 6.9.

    Reading outside of its pages gives zero, writing there changes nothing. Its memory is all there from the start.
    Helpers do not take it: copy what they need.
    """

    type = MapType.ARENA

    def __init__(self, value: StructType, **options: Unpack[Options]) -> None:
        super().__init__(value, **options)
        if value.size > MOST:
            raise ValueError(f"an arena has {MOST} bytes at most, not {value.size}")
        self.flags = MMAPABLE
        self.entries = -(-value.size // PAGE)

    def spec(self, name: str = "") -> MapSpec:
        """The spec: its entries are pages."""
        kept = (self.name or name)[:NAME]
        return MapSpec(kept, self.type, None, None, self.entries, self.flags, pin=self.pin)
