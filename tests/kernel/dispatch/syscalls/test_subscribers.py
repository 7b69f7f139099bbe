"""Subscribers of system calls see the same, whichever way the planner hooks them."""

import mmap
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

import skep
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.kernel.dispatch.chain import ChainLink
from skep.kernel.dispatch.owner import ENTER, EXIT, Dispatcher
from skep.kernel.dispatch.plan import Costs
from skep.lang.syscall_numbers import NUMBERS
from skep.program.dispatched import count
from skep.program.live import Live
from skep.program.machine import Machine
from tests.kernel.dispatch.syscalls import programs as subscribers

SECONDS, SHORT = 60.0, 0.1
CURRENT = -100 & 0xFFFFFFFF  # AT_FDCWD as an int in a register, whose upper half says nothing
WAYS = {"classic": Costs(raw=100.0, own=1.0, other=1.0), "raw": Costs(raw=1.0, other=100.0)}


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def write_nothing() -> None:
    with open("/dev/null", "wb") as file:
        os.writev(file.fileno(), [b""])


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    before = {p.id for p in objects.programs(DOOR)}
    names = {one.name[:15] for one in vars(subscribers).values() if isinstance(one, skep.Program)}
    names |= {one.name[:15] for one in subscribers.PROGRAMS}
    yield
    until(lambda: not [p for p in objects.programs(DOOR) if p.id not in before and p.name in names])


@pytest.fixture(params=WAYS)
def load(request: pytest.FixtureRequest) -> Callable[..., Live]:
    """Loads subscribers so that they are hooked in this way, and watch this process."""

    def make(*programs: skep.Program) -> Live:
        live = skep.load(*programs, dispatcher=Dispatcher(rates={}, costs=WAYS[request.param]))
        chained = [isinstance(link, ChainLink) for listed in live.links.values() for link in listed]
        assert chained == [request.param == "raw"] * len(programs)
        live[subscribers.mine][os.getpid()] = 1
        return live

    return make


def test_arguments_come_by_their_own_names(
    load: Callable[..., Live], tmp_path: os.PathLike[str]
) -> None:
    path = os.fspath(tmp_path) + "/file"
    with load(subscribers.on_open) as live:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
        events = [dict(event) for event in live[subscribers.opened].poll(SECONDS)]
    (event,) = (one for one in events if one["name"] == path[:63])
    assert (event["number"], event["dfd"]) == (NUMBERS["openat"], CURRENT)
    assert event["how"] == os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC


def test_structs_of_the_process_are_read_where_arguments_point_at_them(
    load: Callable[..., Live],
) -> None:
    with load(subscribers.on_bind) as live, socket.socket(socket.AF_INET6) as one:
        fd = one.fileno()
        with pytest.raises(OSError, match="Cannot assign requested address"):
            one.bind(("2001:db8::7", 443))
        one.bind(("::1", 0))
        used, free = (dict(event) for event in live[subscribers.named].poll(SECONDS))
    assert (free["fd"], free["port"], free["address"]) == (fd, 0, [0] * 15 + [1])
    assert (used["port"], used["last"], used["address"][:4]) == (443, 7, [0x20, 1, 0xD, 0xB8])
    with load(subscribers.on_name) as live, socket.socket() as two:
        with pytest.raises(ConnectionRefusedError):
            two.connect(("127.0.0.1", 1))
        (seen,) = (dict(event) for event in live[subscribers.named].poll(SECONDS))
    assert (seen["port"], seen["fd"]) == (1, 0x7F000001)


def test_a_pointer_in_a_struct_of_a_process_leads_to_its_memory(
    load: Callable[..., Live],
) -> None:
    one, other = socket.socketpair()
    with load(subscribers.on_message) as live, one, other:
        one.sendmsg([b"hello\0", b"you"])
        (seen,) = (dict(event) for event in live[subscribers.sent].poll(SECONDS))
    assert (seen["length"], seen["text"]) == (3, "hello")


def test_results_come_at_the_exit(load: Callable[..., Live]) -> None:
    with load(subscribers.on_end) as live:
        os.getppid()
        with pytest.raises(FileNotFoundError):
            os.open("/no/such/file", os.O_RDONLY)
        events = [dict(event) for event in live[subscribers.ended].poll(SECONDS)]
    seen = [(one["number"], one["result"]) for one in events]
    assert seen == [(NUMBERS["getppid"], os.getppid()), (NUMBERS["openat"], -2)]


def test_arguments_come_by_their_places(load: Callable[..., Live]) -> None:
    with load(subscribers.on_six) as live, open(sys.executable, "rb") as file:
        with mmap.mmap(file.fileno(), mmap.PAGESIZE, mmap.MAP_PRIVATE, mmap.PROT_READ, offset=4096):
            pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            one.sendto(b"x", one.getsockname())
        events = [dict(event) for event in live[subscribers.moved].poll(SECONDS)]
    seen = {(one["number"], one["sixth"]) for one in events}
    assert {(NUMBERS["mmap"], 4096), (NUMBERS["sendto"], 16)} <= seen


def test_several_subscribers_see_their_own_calls(load: Callable[..., Live]) -> None:
    with load(subscribers.counts, subscribers.counts_more) as live:
        for _ in range(3):
            os.getppid()
        write_nothing()
        seen = dict(live[subscribers.counted].items())
    assert (seen[NUMBERS["getppid"]], seen[NUMBERS["writev"]]) == (303, 1)
    assert set(seen) <= {NUMBERS[name] for name in ("getppid", "writev", "dup", "stat")}


def test_one_that_goes_leaves_the_others(load: Callable[..., Live]) -> None:
    with load(subscribers.counts, subscribers.counts_more) as live:
        live.links["counts"][0].close()
        os.getppid()
        write_nothing()
        assert dict(live[subscribers.counted].items()) == {NUMBERS["getppid"]: 100}


COMPAT = """
import ctypes, mmap, sys
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex(sys.argv[1]))
run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
sys.stdin.readline()
print(run())
"""
INT80_20 = "b814000000 cd80 c3"  # mov eax, 20 (getpid there, writev here); int 0x80; ret
X32_DUP = "b820000040 31ff 0f05 c3"  # mov eax, 0x40000020 (dup of x32); edi = 0; syscall; ret


@pytest.mark.parametrize("code", [INT80_20, X32_DUP])
def test_calls_of_other_tables_are_not_mistaken(load: Callable[..., Live], code: str) -> None:
    command = [sys.executable, "-c", COMPAT, code.replace(" ", "")]
    with (
        load(subscribers.counts) as live,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        live[subscribers.mine][process.pid] = 1
        answer, _ = process.communicate("\n")
        seen = dict(live[subscribers.counted].items())
    if process.returncode < 0:
        pytest.skip("this kernel runs no 32-bit calls (IA32_EMULATION is off)")
    assert int(answer) in (process.pid, -38)
    assert NUMBERS["writev"] not in seen
    assert NUMBERS["dup"] not in seen


def test_who_wants_all_calls_gets_the_hook_that_all_share() -> None:
    dispatcher = Dispatcher(rates={})
    with skep.load(subscribers.counts_all, subscribers.counts, dispatcher=dispatcher) as live:
        live[subscribers.mine][os.getpid()] = 1
        assert dispatcher.behind(ENTER) == 2
        os.getppid()
        os.kill(os.getpid(), 0)
        seen = dict(live[subscribers.counted].items())
        assert seen[NUMBERS["getppid"]] == 10_001
        assert seen[NUMBERS["kill"]] == 10_000


def test_who_comes_later_shares_the_hook_that_is_paid_for() -> None:
    dispatcher = Dispatcher(rates={})
    with skep.load(subscribers.counts_all, dispatcher=dispatcher) as live:
        with skep.load(subscribers.counts, dispatcher=dispatcher) as other:
            assert dispatcher.behind(ENTER) == 2
            other[subscribers.mine][os.getpid()] = 1
            os.getppid()
            assert other[subscribers.counted][NUMBERS["getppid"]] == 1
        assert (dispatcher.behind(ENTER), dispatcher.behind(EXIT)) == (1, 0)
        live[subscribers.mine][os.getpid()] = 1
        os.getppid()
        assert live[subscribers.counted][NUMBERS["getppid"]] == 10_000
    assert dispatcher.behind(ENTER) == 0


BUSY = "import os\nprint(flush=True)\nwhile True: os.getsid(0), os.getpgid(0)"


def test_calls_of_the_machine_are_counted_to_choose_by() -> None:
    machine, seen = Machine(), dict[str, float]()

    def counted() -> bool:
        seen.update(count(machine, SHORT))
        return seen["getsid"] > 0

    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as busy:
        try:
            assert busy.stdout is not None
            busy.stdout.readline()
            until(counted)
        finally:
            busy.kill()
    # One may have come without the other, and other processes call them, too.
    assert seen["getsid"] == pytest.approx(seen["getpgid"], rel=0.05, abs=2 / SHORT)


def test_a_load_that_has_a_choice_counts_calls_first() -> None:
    dispatcher = Dispatcher()
    with skep.load(subscribers.counts_all, dispatcher=dispatcher):
        assert dispatcher.rates is None
    with skep.load(subscribers.counts, dispatcher=dispatcher):
        assert set(dispatcher.rates or {}) == set(NUMBERS)
