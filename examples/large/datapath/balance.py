"""Services as the datapath is told of them: backends, and Maglev's tables. Plain values to entries of its maps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from examples.large.datapath.desired import IpAddress, encoded
from examples.large.datapath.state import BACKENDS, SERVICES, TABLE, Place, ServiceKey


@dataclass(frozen=True, slots=True)
class Backend:
    address: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    address: IpAddress
    port: int
    protocol: int
    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class ServiceTables:
    """The content of the maps ``services``, ``frontends``, ``maglev`` and ``backends``."""

    services: Mapping[ServiceKey, int]
    frontends: Mapping[int, Place]
    maglev: Mapping[int, int]
    backends: Mapping[int, Place]


def maglev_table(backends: Sequence[Backend], size: int = TABLE) -> list[int]:
    """For each place of the table the index of a backend; all -1 where there is none.

    Each backend has a walk over all places, by two hashes of its name; in turns, each takes the next place of its walk
    that is free (Eisenbud and others, "Maglev", NSDI 2016). So all have about as many, and few places change with
    the backends. ``size`` is a prime.
    """
    table = [-1] * size
    walks = [_walk(one, size) for one in backends]
    for turn in range(size if walks else 0):
        backend = turn % len(walks)
        table[next(place for place in walks[backend] if table[place] < 0)] = backend
    return table


def _walk(backend: Backend, size: int) -> Iterator[int]:
    digest = blake2b(f"{backend.address} {backend.port}".encode(), digest_size=16).digest()
    offset = int.from_bytes(digest[:8], "big") % size
    skip = int.from_bytes(digest[8:], "big") % (size - 1) + 1
    return ((offset + turn * skip) % size for turn in range(size))


def service_tables(services: Sequence[Service]) -> ServiceTables:
    """All tables of services; a backend of several is one. ValueError where there are too many, or families mix."""
    wanted = dict.fromkeys(backend for service in services for backend in service.backends)
    numbers = {backend: number for number, backend in enumerate(wanted, 1)}  # 0 is none
    if len(services) > SERVICES or len(numbers) >= BACKENDS:
        raise ValueError(f"at most {SERVICES} services and {BACKENDS - 1} backends")
    for service in services:
        if any(one.address.version != service.address.version for one in service.backends):
            raise ValueError(f"{service}: its backends are of another family")
    places: dict[int, int] = {}
    for index, service in enumerate(services):
        for place, chosen in enumerate(maglev_table(service.backends)):
            places[index * TABLE + place] = numbers[service.backends[chosen]] if chosen >= 0 else 0
    return ServiceTables(
        {ServiceKey(encoded(s.address), s.port, s.protocol): i for i, s in enumerate(services)},
        {i: Place(encoded(s.address), s.port, s.protocol) for i, s in enumerate(services)},
        places,
        {number: Place(encoded(b.address), b.port) for b, number in numbers.items()},
    )
