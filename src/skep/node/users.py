"""Names of users by uid, from /etc/passwd only: the name service may ask a network, and would block.

``refresh`` is called now and then; it reads the file again when it was replaced or written.
"""

import os

from skep.node.jsontext import readable

_LARGEST = 16 << 20


class Users:
    """uid -> name, of the host's own users."""

    def __init__(self, path: str = "/etc/passwd") -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._names: dict[int, str] = {}
        self.refresh()

    def name(self, uid: int) -> str | None:
        """The name of ``uid``, None where the file has none."""
        return self._names.get(uid)

    def refresh(self) -> bool:
        """Read the file if it has changed; whether it had. One that cannot be read names nobody."""
        try:
            found = os.stat(self._path)
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return False
            with open(self._path, "rb") as file:
                names = parse_passwd(file.read(_LARGEST))
        except OSError:
            seen, names = None, {}
            if self._seen is None:
                return False
        self._seen, self._names = seen, names
        return True


def parse_passwd(data: bytes) -> dict[int, str]:
    """First name that passwd(5) gives each uid; lines that make no sense are passed over."""
    names: dict[int, str] = {}
    for line in data.splitlines():
        fields = line.split(b":")
        if len(fields) >= 3 and fields[0] and fields[2].isdigit():
            names.setdefault(int(fields[2]), readable(fields[0]))
    return names
