#include "sockets.h"

#define ACCEPT 6
#define CLOSE 7

#define PROCESS_UNKNOWN 1
#define START_UNKNOWN 2

#define SOCK_DONE_BIT 2
#define PF_KTHREAD (1 << 21)
#define ACCEPT_REQUEST 13

struct skep_close {
	struct skep_record head;
	u32 pid;
	u32 uid;
	u64 cgroup;
	u16 family;
	u16 sport;
	u16 dport;
	u16 error;
	u32 saddr[4];
	u32 daddr[4];
	char comm[16];
	u64 sent_bytes;
	u64 received_bytes;
	u64 duration_ns;
	u32 srtt_us;
	u32 retransmits;
};
_Static_assert(sizeof(struct skep_close) == 128, "as in Python");

/* A field of a socket that the verifier knows, or of one whose address was read. */
#define FIELD(known, sk, field) ((known) ? (sk)->field : BPF_CORE_READ(sk, field))

static __always_inline void put_addresses(struct skep_connect *event, struct sock *sk, u16 sport, bool known)
{
	event->sport = sport;
	event->dport = bpf_ntohs(FIELD(known, sk, __sk_common.skc_dport));
	if (FIELD(known, sk, __sk_common.skc_family) == INET6 &&
	    (FIELD(known, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[0]) ||
	     FIELD(known, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[1]) ||
	     FIELD(known, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[2]) != MAPPED)) {
		event->family = INET6;
		bpf_probe_read_kernel(event->saddr, sizeof(event->saddr), &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(event->daddr, sizeof(event->daddr), &sk->__sk_common.skc_v6_daddr);
	} else {
		event->family = INET;
		__builtin_memset(event->saddr, 0, sizeof(event->saddr));
		__builtin_memset(event->daddr, 0, sizeof(event->daddr));
		event->saddr[0] = FIELD(known, sk, __sk_common.skc_rcv_saddr);
		event->daddr[0] = FIELD(known, sk, __sk_common.skc_daddr);
	}
}

static __always_inline void put_owner(struct skep_connect *event, struct skep_connection *connection)
{
	event->pid = connection->pid;
	event->uid = connection->uid;
	event->cgroup = connection->cgroup;
	__builtin_memcpy(event->comm, connection->comm, sizeof(event->comm));
}

static __always_inline void put_socket_owner(struct skep_connect *event, struct sock *sk)
{
	event->uid = sk->sk_uid.val;
	event->cgroup = sk->sk_cgrp_data.cgroup->kn->id;
}

static void connected(struct sock *sk, u16 sport, u32 flags)
{
	struct skep_connect *event = reserve(connections, struct skep_connect, CONNECT);

	if (!event)
		return;

	u64 key = (u64)sk;
	struct skep_connection *found = bpf_map_lookup_elem(&open_now, &key);

	if (found) {
		put_owner(event, found);
		event->head.flags = flags;
	} else {
		event->pid = 0;
		__builtin_memset(event->comm, 0, sizeof(event->comm));
		put_socket_owner(event, sk);
		event->head.flags = flags | PROCESS_UNKNOWN | START_UNKNOWN;
	}
	put_addresses(event, sk, sport, true);
	event->error = flags ? sk->sk_err : 0;
	submit(connections, event);
}

static void established(struct sock *sk, int old)
{
	u64 key = (u64)sk;
	struct skep_connection *found = bpf_map_lookup_elem(&open_now, &key);
	bool begun = found && found->since == 0;
	bool own = found && found->opened == OWN;

	if (old == TCP_SYN_SENT || (old == TCP_SYN_RECV && begun && own)) {
		if (found)
			found->since = bpf_ktime_get_boot_ns();
		connected(sk, sk->__sk_common.skc_num, 0);
	} else if (old == TCP_SYN_RECV) {
		if (found && begun) {
			found->since = bpf_ktime_get_boot_ns();
		} else {
			struct skep_connection by_peer = { .since = bpf_ktime_get_boot_ns() };

			bpf_map_update_elem(&open_now, &key, &by_peer, 0);
		}
	}
}

static void ending(struct sock *sk)
{
	if (bpf_get_current_task_btf()->flags & PF_KTHREAD)
		return;

	u64 key = (u64)sk;
	struct skep_connection *found = bpf_map_lookup_elem(&open_now, &key);

	if (!found) {
		struct skep_connection late = {};

		put_current(&late);
		bpf_map_update_elem(&open_now, &key, &late, 0);
	} else if (found->pid == 0) {
		put_current(found);
	}
}

static __always_inline u64 acknowledged(struct tcp_sock *tcp, u64 syn, int state)
{
	u64 acked = tcp->bytes_acked - syn;
	bool fin = state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_LAST_ACK ||
		   state == TCP_CLOSING;

	if (fin && tcp->snd_una == tcp->write_seq)
		acked--;
	return MIN(acked, tcp->bytes_sent - tcp->bytes_retrans);
}

static void closed(struct sock *sk, int old)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	if (!tcp)
		return;

	u64 key = (u64)sk;
	u16 sport = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);

	if (old == TCP_SYN_SENT)
		connected(sk, sport, FAILED);

	struct skep_connection *found = bpf_map_lookup_elem(&open_now, &key);

	if (old == TCP_SYN_SENT) {
		if (found && tcp->write_seq == 0)
			found->opened = TOLD;
		else
			bpf_map_delete_elem(&open_now, &key);
		return;
	}

	if (old == TCP_SYN_RECV && (!found || found->pid == 0)) {
		bpf_map_delete_elem(&open_now, &key);
		return;
	}

	struct skep_close *event = reserve(connections, struct skep_close, CLOSE);

	if (event) {
		u32 flags = 0;
		u64 syn = 0;

		event->duration_ns = 0;
		if (found && found->since)
			event->duration_ns = event->head.time - found->since;
		else
			flags = START_UNKNOWN;
		if (found && found->pid) {
			put_owner((struct skep_connect *)event, found);
			syn = found->opened;
		} else {
			event->pid = 0;
			__builtin_memset(event->comm, 0, sizeof(event->comm));
			put_socket_owner((struct skep_connect *)event, sk);
			flags |= PROCESS_UNKNOWN;
		}
		event->head.flags = flags;
		put_addresses((struct skep_connect *)event, sk, sport, true);
		event->error = sk->sk_err;
		event->sent_bytes = acknowledged(tcp, syn, old);

		u64 fin = (sk->__sk_common.skc_flags & SOCK_DONE_BIT) / SOCK_DONE_BIT;

		event->received_bytes = tcp->bytes_received - fin;
		event->srtt_us = tcp->srtt_us >> 3;
		event->retransmits = tcp->total_retrans;
		submit(connections, event);
	}
	bpf_map_delete_elem(&open_now, &key);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new == TCP_SYN_SENT) {
		u64 key = (u64)sk;
		struct skep_connection begun = { .opened = OWN };

		put_current(&begun);
		bpf_map_update_elem(&open_now, &key, &begun, 0);
	} else if (new == TCP_SYN_RECV && old == TCP_LISTEN) {
		u64 key = (u64)sk;
		struct skep_connection begun = {};

		bpf_map_update_elem(&open_now, &key, &begun, 0);
	} else if (new == TCP_ESTABLISHED) {
		established(sk, old);
	} else if (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK) {
		ending(sk);
	} else if (new == TCP_CLOSE && old != TCP_CLOSE && old != TCP_LISTEN) {
		closed(sk, old);
	}
	return 0;
}

static __always_inline struct sock *given(long fd)
{
	return fd < 0 ? NULL : socket_at(fd);
}

static void accepted(struct sock *sk)
{
	if (!sk)
		return;

	u64 key = (u64)sk;
	struct skep_connection *found = bpf_map_lookup_elem(&open_now, &key);

	if (!found) {
		if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
			return;

		u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

		if (family != INET && family != INET6)
			return;

		struct skep_connection late = {};

		put_current(&late);
		bpf_map_update_elem(&open_now, &key, &late, 0);
	} else {
		put_current(found);
	}

	struct skep_connect *event = reserve(connections, struct skep_connect, ACCEPT);

	if (!event)
		return;
	put_current(event);
	event->head.flags = found ? 0 : START_UNKNOWN;
	put_addresses(event, sk, BPF_CORE_READ(sk, __sk_common.skc_num), false);
	event->error = 0;
	submit(connections, event);
}

static void completed(struct io_kiocb *request, long result)
{
	if (result < 0 || (request && BPF_CORE_READ(request, opcode) != ACCEPT_REQUEST))
		return;
	if ((u32)result >= bpf_get_current_task_btf()->files->fdt->max_fds)
		return;

	struct sock *sk = socket_at(result);
	u64 key = (u64)sk;
	struct skep_connection *found = bpf_map_lookup_elem(&open_now, &key);

	if (found && found->pid == 0)
		accepted(sk);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int on_accept4(struct trace_event_raw_sys_exit *context)
{
	accepted(subflow(given(context->ret)));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int on_accept(struct trace_event_raw_sys_exit *context)
{
	accepted(subflow(given(context->ret)));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int on_accept4_plain(struct trace_event_raw_sys_exit *context)
{
	accepted(given(context->ret));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int on_accept_plain(struct trace_event_raw_sys_exit *context)
{
	accepted(given(context->ret));
	return 0;
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(on_accepted, struct sock *listener, void *arg, struct sock *sk)
{
	accepted(sk);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_uring, void *ring, struct io_kiocb *request, struct io_uring_cqe *completion)
{
	completed(request, completion->res);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_uring_before, void *ring, struct io_kiocb *request, u64 user_data, int result)
{
	completed(request, result);
	return 0;
}
