"""What the allocator keeps, in a process that has just begun."""

import subprocess
import sys

PAGE = 4096
SIZE = 512 << 10
FAULTS = f"""
import resource
from skep.base.memory import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        pieces = [bytearray(b"x") * {SIZE} for _ in range(2)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed({SIZE} * 4) if KEEP else None
faults()
print(faults())
"""


def faults(*, keep: bool) -> int:
    """Pages that were fetched anew for 50 pairs of pieces."""
    program = FAULTS.replace("KEEP", str(keep))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return int(done.stdout)


def test_pieces_take_the_pages_of_those_before_them() -> None:
    assert faults(keep=True) < 5 * SIZE / PAGE < faults(keep=False)
