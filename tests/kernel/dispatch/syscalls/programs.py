"""Subscribers of system calls, each written once; they note what a process in ``mine`` does."""

import skep
from skep import Hash, Record, Ring, Struct, be16, be32, char, s16, s32, s64, u8, u16, u32, u64
from skep.kernel.dispatch.programs import gates

mine = Hash(u32, u32, 8)
counted = Hash(u32, u64, 512)


class Opened(Record):
    """An openat as it is entered."""

    number: u32
    how: u32
    dfd: u32
    _pad: u32
    name: char[64]


class Ended(Record):
    """A call as it ends."""

    number: u32
    _pad: u32
    result: s64


class Moved(Record):
    """Arguments by their places."""

    number: u32
    fd: u32
    sixth: u64


class Name6(Struct):
    """A struct sockaddr_in6 of the process."""

    family: u16
    port: be16
    flow: be32
    address: u8[16]


class Named(Record):
    """What a call was given to bind or to connect."""

    fd: s32
    port: u16
    last: u8
    address: u8[16]


class Message(Record):
    """What a process sent, as its struct user_msghdr leads to it."""

    length: u64
    text: char[16]


KERNELS = skep.kernel_struct("sockaddr_in")
MESSAGE = skep.kernel_struct("user_msghdr")
sent = Ring(Message)
opened = Ring(Opened)
named = Ring(Named)
ended = Ring(Ended)
moved = Ring(Moved)


@skep.inline
def wanted():
    return u32(skep.get_current_pid_tgid() >> 32) in mine


@skep.syscall("openat")
def on_open(filename, flags, dfd, number):
    if not wanted():
        return
    e = opened.reserve()
    if e is not None:
        e.number = number
        e.how = u32(flags)
        e.dfd = u32(dfd)
        skep.probe_read_user_str(e.name, filename)
        e.submit()


@skep.syscall("bind")
def on_bind(fd: s16, umyaddr: Name6, number):
    if not wanted():
        return
    e = named.reserve()
    if e is not None:
        e.fd = fd
        e.port = umyaddr.port
        e.address = umyaddr.address
        e.last = umyaddr.address[15]
        e.submit()


@skep.syscall("connect", "bind")
def on_name(arg1: KERNELS):
    if not wanted():
        return
    e = named.reserve()
    if e is not None:
        e.port = arg1.sin_port
        e.fd = s32(arg1.sin_addr.s_addr)
        e.submit()


@skep.syscall("sendmsg")
def on_message(msg: MESSAGE):
    if not wanted():
        return
    e = sent.reserve()
    if e is not None:
        e.length = msg.msg_iov[1].iov_len
        skep.probe_read_user_str(e.text, msg.msg_iov.iov_base)
        e.submit()


@skep.syscall_exit("openat", "getppid")
def on_end(result, number):
    if not wanted():
        return
    e = ended.reserve()
    if e is not None:
        e.number = number
        e.result = result
        e.submit()


@skep.syscall("mmap", "sendto")
def on_six(arg5, number, arg4):
    if not wanted():
        return
    e = moved.reserve()
    if e is not None:
        e.number = number
        e.fd = u32(arg4)
        e.sixth = arg5
        e.submit()


@skep.syscall("getppid", "writev", "dup")
def counts(number):
    if wanted():
        counted.increment(number)


@skep.syscall("getppid", "stat")
def counts_more(number):
    if wanted():
        counted.increment(number, 100)


@skep.syscall()
def counts_all(number, arg0):
    if wanted():
        counted.increment(number, 10_000)


PROGRAMS = [gates.ENTER, gates.EXIT, gates.sys_enter_count]
