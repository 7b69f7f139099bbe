"""Where pieces lie, in a process that has just begun."""

import subprocess
import sys

SIZE, COUNT = 40_000, 50
LIES = f"""
import re
from pathlib import Path
from skep.kernel.allocator import map_each

_ = bytes(4 << 20)  # from now on glibc has such sizes in its heap
print(map_each({SIZE} // 2) if MAPPED else None)
pieces = [bytes({SIZE}) for _ in range({COUNT})]
maps = Path("/proc/self/maps").read_text()
begin, end = (int(part, 16) for part in re.search(r"(\\w+)-(\\w+) .*\\[heap]", maps).groups())
print(sum(begin <= id(piece) < end for piece in pieces))
"""


def lies(*, mapped: bool) -> tuple[str, int]:
    """What the allocator answered, and how many pieces lie in the heap."""
    program = LIES.replace("MAPPED", str(mapped))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    answer, count = done.stdout.decode().split()
    return answer, int(count)


def test_large_pieces_do_not_make_the_heap_grow_where_each_is_mapped() -> None:
    answer, count = lies(mapped=True)
    assert answer == "True"
    assert count < COUNT / 2
    assert lies(mapped=False) == ("None", COUNT)
