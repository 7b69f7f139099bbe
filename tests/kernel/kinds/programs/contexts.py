"""Contexts read and set in ways that compilers like to change: whole arrays, parts, chains of pointers."""

import skep
from skep import Array, Struct, be32, u8, u32


class Address(Struct):
    """An address of IPv6, as a context has it."""

    words: be32[4]


class Block(Struct):
    """The control block of a packet."""

    words: u32[5]


addresses = Array(Address, 1)
blocks = Array(Block, 1)


@skep.cgroup("connect6")
def copies_an_address(ctx):
    there = addresses.lookup(0)
    if there is not None:
        there.words = ctx.user_ip6


@skep.sk_lookup
def copies_a_remote_address(ctx):
    there = addresses.lookup(0)
    if there is not None:
        there.words = ctx.remote_ip6


@skep.sockops
def copies_where_words_are_read_one_by_one(ctx):
    there = addresses.lookup(0)
    if there is not None:
        there.words = ctx.remote_ip6


@skep.sk_msg
def copies_a_local_address(ctx):
    there = addresses.lookup(0)
    if there is not None:
        there.words = ctx.local_ip6


@skep.tc("egress")
def copies_both_ways(ctx):
    there = blocks.lookup(0)
    if there is not None:
        there.words = ctx.cb
        ctx.cb = there.words


@skep.cgroup("connect6")
def reads_a_part(ctx):
    part = u8(ctx.user_port)
    if ctx.sk.family == 10 and ctx.sk.type == 1 and u8(ctx.sk.src_port) == 3:
        return 1
    return 1 if part == ctx.user_port & 0xFF else 0


@skep.tc("ingress")
def follows_a_socket(ctx):
    sk = ctx.sk
    if sk is None:
        return 0
    whole = skep.sk_fullsock(sk)
    if whole is None:
        return 0
    tcp = skep.tcp_sock(whole)
    if tcp is None:
        return 0
    return tcp.snd_cwnd > 5 and whole.mark == 3


@skep.perf_event(frequency=9)
def reads_registers_of_a_sample(ctx):
    return ctx.regs.ip > 5 and ctx.addr == 3
