"""The programs that fill the rings of these tests; each takes a count as the result of a system call."""

import skep
from skep.events.record import Record
from skep.events.texts import TEXT_HEADER, Text
from skep.lang.decorators.tracing import raw_tp
from skep.lang.maps import Array, Global, Ring
from skep.lang.struct import Struct
from skep.lang.types import char, u8, u32, u64

SIZE = 1 << 16


class Even(Record, kind="even", size=128):
    """Every other record."""

    index: u32
    twice: u64
    comm: char[16]


class Odd(Record, kind="odd", size=128):
    """The others."""

    index: u32
    square: u64


samples = Ring(Even, Odd, size=SIZE, wakeup="doorbell")


@raw_tp("sys_exit")
def fill(regs, count):
    for i in range(600):
        if i >= count:
            break
        if i % 2 == 0:
            even = samples.reserve(Even)
            if even is not None:
                even.index = i
                even.twice = u64(i) * 2
                even.submit()
        else:
            odd = samples.reserve(Odd)
            if odd is not None:
                odd.index = i
                odd.square = u64(i) * u64(i)
                odd.submit()


plain = Ring(Even, size=SIZE, wakeup="none")


@raw_tp("sys_exit")
def discard_some(regs, count):
    for i in range(300):
        if i >= count:
            break
        event = plain.reserve()
        if event is not None:
            event.index = i
            if i % 3 == 0:
                event.discard()
            else:
                event.submit()


class Nested(Struct):
    """What the program that recurses is told and tells."""

    pid: u32
    inside: u32
    wrong: u64
    faults: u64


faults = Ring(Even, size=1 << 12, wakeup="none")
told = Global(Nested)


@raw_tp("page_fault_kernel")
def on_fault(address, regs, error_code):
    if u32(skep.get_current_pid_tgid() >> 32) != told.pid:
        return
    event = faults.reserve()
    if event is None:
        return
    event.submit()
    if told.inside == 0:
        told.inside = 1
        skep.probe_read_user(told.wrong, 0x10)  # faults, and would run this program inside itself
        told.inside = 0


@raw_tp("page_fault_kernel")
def count_faults(address, regs, error_code):
    """Runs at each fault, also at those inside of ``on_fault``; how many a wrong read makes depends on the CPU."""
    if u32(skep.get_current_pid_tgid() >> 32) == told.pid:
        skep.atomic_add(told.faults, 1)


@raw_tp("sys_exit")
def fault(regs, count):
    for i in range(64):
        if i >= count:
            break
        skep.probe_read_user(told.wrong, 0x10)


texts = Ring(Text, size=1 << 16, wakeup="none")
scratch = Array(Text, 1)


@raw_tp("sys_exit")
def send_pieces(regs, count):
    piece = scratch.lookup(0)
    if piece is None:
        return
    piece.of = 77
    piece.whole = u32(count) * 1000
    piece.used = 1000
    for i in range(32):
        if i >= count:
            break
        piece.offset = i * 1000
        piece.text[0] = 65 + i
        texts.output(piece, TEXT_HEADER + 1000)


class Old(Record, kind="old", size=256):
    """A record without a zero byte."""

    words: u64[29]


class Partly(Record, kind="partly", size=256):
    """A record whose fields helpers fill in part."""

    user: char[32]
    kernel: char[32]
    copied: u8[24]
    stack: u64[16]


reused = Ring(Old, Partly, size=1 << 12, wakeup="none")


@raw_tp("sys_exit")
def leave_old(regs, count):
    for _ in range(16):
        old = reused.reserve(Old)
        if old is None:
            return
        for i in range(29):
            old.words[i] = 0xEEEEEEEEEEEEEEEE
        old.submit()


@raw_tp("sys_exit")
def fill_partly(regs, text):
    """``text``: the address of a text of two characters in user memory."""
    event = reused.reserve(Partly)
    if event is None:
        return
    skep.probe_read_user_str(event.user, u64(text))
    skep.probe_read_kernel_str(event.kernel, skep.get_current_task_btf().comm)
    skep.probe_read_user(event.copied, 3 + (event.seq & 1), u64(text))
    skep.get_stack(event.stack, 0)
    event.submit()
