"""Programs of a cgroup: each hook on what its processes do; all are attached to a test's own cgroup only."""

import skep
from skep import Array, Struct, char, u8, u32, u64

counts = Array(u64, 64)
REAL, TOLD = 0x7F000001, 0x7F000002
PORT, OTHER, LOW = 5555, 5556, 80
SO_PRIORITY, SO_MARK, SOL_SOCKET = 12, 36, 1
EACCES = 13


@skep.cgroup("sock_create")
def marks_sockets(ctx):
    counts.increment(0)
    ctx.mark = 77
    ctx.priority = 3
    return 0 if ctx.type == 3 else 1


@skep.cgroup("sock_release")
def sees_the_end(ctx):
    if ctx.mark == 77:
        counts.increment(1)


@skep.cgroup("post_bind4")
def refuses_a_port(ctx):
    counts.increment(2)
    return 0 if ctx.src_port == OTHER else 1


@skep.cgroup("post_bind6")
def refuses_a_port_of_six(ctx):
    counts.increment(3)
    return 0 if ctx.src_port == OTHER and ctx.src_ip6[3] == 1 else 1


@skep.cgroup("bind4")
def moves_a_bind(ctx):
    counts.increment(4)
    if ctx.user_port == PORT:
        ctx.user_ip4 = TOLD
        ctx.user_port = OTHER


@skep.cgroup("bind4")
def lets_a_low_port_be_bound(ctx):
    """Without the right that such a port asks for."""
    counts.increment(28)
    return 3 if ctx.user_port == LOW else 1


@skep.cgroup("bind6")
def moves_a_bind_of_six(ctx):
    counts.increment(5)
    if ctx.user_port == PORT:
        ctx.user_ip6[3] = 1
        ctx.user_port = OTHER


@skep.cgroup("connect4")
def moves_a_connect(ctx):
    counts.increment(6)
    if ctx.user_ip4 == 0x0A090909:
        ctx.user_ip4 = REAL
        ctx.user_port = OTHER
    elif ctx.user_ip4 == 0x0A090908:
        skep.set_retval(-EACCES)
        return 0
    return 1


@skep.cgroup("connect6")
def refuses_a_connect_of_six(ctx):
    counts.increment(7)
    return 0 if ctx.user_ip6[3] == 9 else 1


@skep.cgroup("connect6")
def moves_a_connect_of_six(ctx):
    """From fd99::9 to ::1."""
    counts.increment(26)
    if ctx.user_ip6[0] == 0xFD990000 and ctx.user_ip6[3] == 9:
        ctx.user_ip6[0] = 0
        ctx.user_ip6[3] = 1
        ctx.user_port = OTHER


@skep.cgroup("sendmsg4")
def moves_a_datagram(ctx):
    counts.increment(8)
    if ctx.user_ip4 == 0x0A090909:
        ctx.user_ip4 = REAL
        ctx.msg_src_ip4 = TOLD


@skep.cgroup("sendmsg6")
def refuses_a_datagram_of_six(ctx):
    counts.increment(9)
    return 0 if ctx.user_port == OTHER else 1


@skep.cgroup("sendmsg6")
def moves_a_datagram_of_six(ctx):
    """From fd99::9 to ::1, and from fd99::1 instead of ::1."""
    counts.increment(27)
    if ctx.user_ip6[3] == 9:
        ctx.user_ip6[0] = 0
        ctx.user_ip6[3] = 1
        ctx.msg_src_ip6[0] = 0xFD990000
        ctx.msg_src_ip6[3] = 1


@skep.cgroup("recvmsg4")
def tells_another_sender(ctx):
    counts.increment(10)
    ctx.user_ip4 = 0x0A090909


@skep.cgroup("recvmsg6")
def tells_another_sender_of_six(ctx):
    counts.increment(11)
    ctx.user_ip6[3] = 9
    ctx.user_port = PORT


@skep.cgroup("getpeername4")
def tells_another_peer(ctx):
    counts.increment(12)
    ctx.user_ip4 = 0x0A090909


@skep.cgroup("getpeername6")
def tells_another_peer_of_six(ctx):
    counts.increment(13)
    ctx.user_ip6[3] = 9
    ctx.user_port = PORT


@skep.cgroup("getsockname4")
def tells_another_name(ctx):
    counts.increment(14)
    ctx.user_ip4 = 0x0A090909


@skep.cgroup("getsockname6")
def tells_another_name_of_six(ctx):
    counts.increment(15)
    ctx.user_ip6[3] = 9
    ctx.user_port = PORT


@skep.cgroup("connect_unix")
def refuses_a_local_connect(ctx):
    counts.increment(16)
    return 0


as_kernel, set_path = skep.kfunc("bpf_cast_to_kern_ctx"), skep.kfunc("bpf_sock_addr_set_sun_path")
LOCAL = skep.kernel_struct("bpf_sock_addr_kern")


@skep.cgroup("connect_unix")
def moves_a_local_connect(ctx):
    """To a name without a file."""
    counts.increment(31)
    path = u8[11]()
    path[:] = b"\0skep-other"
    return 1 if set_path(LOCAL(as_kernel(ctx)), path) == 0 else 0


@skep.cgroup("sendmsg_unix")
def refuses_a_local_datagram(ctx):
    counts.increment(17)
    return 0


@skep.cgroup("recvmsg_unix")
def sees_a_local_datagram(ctx):
    counts.increment(18)


@skep.cgroup("getpeername_unix")
def sees_a_local_peer(ctx):
    counts.increment(19)


@skep.cgroup("getsockname_unix")
def sees_a_local_name(ctx):
    counts.increment(20)


@skep.cgroup("getsockopt")
def answers_for_the_kernel(ctx):
    """The priority is told as 99, whatever it is."""
    counts.increment(21)
    if ctx.level != SOL_SOCKET or ctx.optname != SO_PRIORITY:
        return 1
    value = ctx.view(u32)
    if value is None:
        return 1
    value[0] = 99
    ctx.optlen = 4
    ctx.retval = 0
    return 1


@skep.cgroup("setsockopt")
def narrows_an_option(ctx):
    """A priority of 6 becomes one of 5, one of 4 is refused, and of one of 3 the kernel is not told."""
    counts.increment(22)
    if ctx.level != SOL_SOCKET or ctx.optname != SO_PRIORITY:
        return 1
    value = ctx.view(u32)
    if value is None:
        return 1
    if value == 4:
        return 0
    if value == 6:
        value[0] = 5
    if value == 3:
        ctx.optlen = -1
    return 1


@skep.cgroup("sysctl")
def hides_a_sysctl(ctx):
    """Reading the host name's sysctl is refused, writing any is."""
    counts.increment(23)
    name = char[32]()
    length = skep.sysctl_get_name(name, 1)
    if ctx.write:
        return 0
    return 0 if length == 7 and name[0] == 111 and name[6] == 101 else 1


@skep.cgroup("sysctl")
def changes_a_sysctl(ctx):
    """What is written to be the time to live becomes 33, where it is 5."""
    counts.increment(29)
    name, value = char[40](), char[8]()
    length = skep.sysctl_get_name(name, 0)
    if not ctx.write or length != 23 or not name.endswith("ip_default_ttl"):
        return 1
    if skep.sysctl_get_new_value(value) != 2 or not value.startswith("5"):
        return 0
    return 1 if skep.sysctl_set_new_value("33") == 0 else 0


@skep.cgroup("device")
def refuses_a_device(ctx):
    """/dev/zero is refused."""
    counts.increment(24)
    return 0 if ctx.major == 1 and ctx.minor == 5 else 1


@skep.cgroup("skb_egress")
def drops_long_packets(ctx):
    counts.increment(25)
    last = ctx.view(u8, 200)
    return 1 if last is None else 0


@skep.cgroup("skb_ingress")
def drops_long_packets_that_come(ctx):
    counts.increment(30)
    last = ctx.view(u8, 200)
    return 1 if last is None else 0


class Life(Struct):
    """What happened to connections."""

    active: u32
    passive: u32
    closed: u32
    rtt: u32


life = Array(Life, 1)
NEEDS_ECN, ACTIVE, PASSIVE, STATE = 6, 4, 5, 10
STATE_FLAG = 1 << 2


@skep.sockops
def follows_connections(ctx):
    here = life.lookup(0)
    if here is None:
        return 1
    if ctx.op == ACTIVE:
        here.active += 1
        skep.sock_ops_cb_flags_set(STATE_FLAG)
    elif ctx.op == PASSIVE:
        here.passive += 1
        here.rtt = ctx.srtt_us
    elif ctx.op == STATE:
        here.closed += 1
    return 1


@skep.sockops
def asks_for_ecn(ctx):
    """Connections are asked to tell of congestion by marks, whatever the sysctl says."""
    if ctx.op == NEEDS_ECN:
        counts.increment(32)
        ctx.reply = 1
    return 1
