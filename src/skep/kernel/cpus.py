"""Which CPUs there can be and are: per-CPU values have one slot for each *possible* CPU."""

DIRECTORY = "/sys/devices/system/cpu"


def parse(text: str) -> tuple[int, ...]:
    """The numbers in a list of the kernel's form (``0-3,8``)."""
    found: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def possible(directory: str = DIRECTORY) -> tuple[int, ...]:
    """The CPUs that the kernel has reserved room for; constant while it runs."""
    return _read(f"{directory}/possible")


def online(directory: str = DIRECTORY) -> tuple[int, ...]:
    """The CPUs that run now."""
    return _read(f"{directory}/online")


def _read(path: str) -> tuple[int, ...]:
    with open(path, encoding="ascii") as file:
        return parse(file.read())
