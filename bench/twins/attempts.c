#include "sockets.h"

#define NO_FILE (-9)
#define NO_SOCKET (-88)
#define V4_SIZE 16
#define V6_SIZE 24

struct skep_peer {
	u16 family;
	u16 port;
	u32 address;
};

struct skep_peer6 {
	u32 words[4];
};

/* The socket, if it is one of TCP with which no attempt has begun. */
static struct sock *fresh(struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (BPF_CORE_READ(sk, sk_type) != SOCK_STREAM || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return NULL;
	if (family != INET && family != INET6)
		return NULL;
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE ||
	    BPF_CORE_READ((struct tcp_sock *)sk, write_seq))
		return NULL;

	u64 key = (u64)sk;

	if (bpf_map_lookup_elem(&open_now, &key)) {
		bpf_map_delete_elem(&open_now, &key);
		return NULL;
	}
	return sk;
}

static __always_inline void failed(struct sock *sk, struct skep_peer *peer, struct skep_peer6 *peer6, u32 size,
				   long result)
{
	if (peer->family != INET && peer->family != INET6)
		return;
	if (size < (peer->family == INET ? V4_SIZE : V6_SIZE))
		return;

	struct skep_connect *event = reserve(connections, struct skep_connect, CONNECT);

	if (!event)
		return;
	put_current(event);
	event->head.flags = FAILED;
	event->error = -result;
	event->sport = BPF_CORE_READ(sk, __sk_common.skc_num);
	event->dport = bpf_ntohs(peer->port);

	bool mapped = peer6->words[0] == 0 && peer6->words[1] == 0 && peer6->words[2] == MAPPED;

	if (peer->family == INET || mapped) {
		event->family = INET;
		__builtin_memset(event->saddr, 0, sizeof(event->saddr));
		__builtin_memset(event->daddr, 0, sizeof(event->daddr));
		event->saddr[0] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		event->daddr[0] = peer->family == INET ? peer->address : peer6->words[3];
	} else {
		event->family = INET6;
		bpf_probe_read_kernel(event->saddr, sizeof(event->saddr), &sk->__sk_common.skc_v6_rcv_saddr);
		__builtin_memcpy(event->daddr, peer6->words, sizeof(event->daddr));
	}
	submit(connections, event);
}

/* Whether this is the attempt of a subflow, in that of its socket. */
static __always_inline bool nested(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP &&
	       BPF_CORE_READ_BITFIELD_PROBED((struct tcp_sock *)sk, is_mptcp);
}

SEC("tracepoint/syscalls/sys_exit_connect")
int on_connect(struct trace_event_raw_sys_exit *context)
{
	long result = context->ret;

	if (result >= 0 || result == NO_FILE || result == NO_SOCKET)
		return 0;

	struct pt_regs *registers = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct sock *sk = fresh(subflow(socket_at((u32)registers->di)));

	if (!sk)
		return 0;

	struct skep_peer peer = {};
	struct skep_peer6 peer6 = {};
	void *address = (void *)registers->si;

	bpf_probe_read_user(&peer, sizeof(peer), address);
	if (peer.family == INET6)
		bpf_probe_read_user(&peer6, sizeof(peer6), address + sizeof(peer));
	failed(sk, &peer, &peer6, registers->dx, result);
	return 0;
}

SEC("fexit/__inet_stream_connect")
int BPF_PROG(on_connected, struct socket *sock, void *uaddr, int addr_len, int flags, int is_sendmsg, int result)
{
	if (result >= 0)
		return 0;

	struct sock *sk = fresh(subflow(sock->sk));

	if (!sk || nested(sock->sk))
		return 0;

	struct skep_peer peer = {};
	struct skep_peer6 peer6 = {};

	bpf_probe_read_kernel(&peer, sizeof(peer), uaddr);
	if (peer.family == INET6)
		bpf_probe_read_kernel(&peer6, sizeof(peer6), uaddr + sizeof(peer));
	failed(sk, &peer, &peer6, addr_len, result);
	return 0;
}
