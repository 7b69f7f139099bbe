"""What goes wrong with processes: the records of this power's programs.

``Oom`` travels in the lifecycle ring, with the exits that follow, and is declared there.
"""

from skep.node.programs.records import Oom

__all__ = ["Oom"]
