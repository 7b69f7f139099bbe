"""Which of two hundred patterns match a path: a walk through one automaton, in the kernel.

``python -m examples.large.matcher /home/anna/.ssh/id_rsa /etc/passwd`` as root.
"""

import os
import sys

import skep
from examples.large.matcher.matcher import Matcher
from examples.large.matcher.program import match_path
from examples.large.matcher.watched import watched


def main(paths: list[str]) -> None:
    """Print each path, and below it the patterns that match."""
    patterns = watched()
    with skep.load(match_path, attach=False) as live:
        matcher = Matcher(live, patterns)
        for path in paths:
            mask = matcher.match(os.fsencode(path))
            print(path)
            for bit, pattern in enumerate(patterns):
                if mask >> bit & 1:
                    print(f"  {pattern.text}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["/home/anna/.ssh/id_rsa", "/usr/share/doc/README"])
