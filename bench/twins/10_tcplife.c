#include "skep.h"

#define LIFE 6910 /* by its name */
#define INET6 10
#define FIN (1 << 1)

struct skep_birth {
	u64 time;
	u32 pid;
	char comm[16];
	u32 unused;
};

struct skep_life {
	struct skep_record head;
	u64 since;
	u64 sent;
	u64 received;
	u32 pid;
	char comm[16];
	u32 address[4];
	u32 peer[4];
	u16 family;
	u16 port;
	u16 peer_port;
};
_Static_assert(sizeof(struct skep_life) == 112, "as in Python");

RING(lives, 1 << 20);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct skep_birth);
} births SEC(".maps");

static void claim(struct skep_birth *birth)
{
	birth->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(birth->comm, sizeof(birth->comm));
}

static void tell(struct sock *sk, struct skep_birth *birth)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct skep_life *life = reserve(lives, struct skep_life, LIFE);

	if (!life)
		return;
	life->since = birth->time;
	life->pid = birth->pid;
	__builtin_memcpy(life->comm, birth->comm, sizeof(life->comm));
	life->family = sk->__sk_common.skc_family;
	life->peer_port = bpf_ntohs(sk->__sk_common.skc_dport);
	life->port = 0;
	life->sent = life->received = 0;
	if (tcp) {
		life->port = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);
		life->sent = tcp->bytes_sent - tcp->bytes_retrans;
		life->received = tcp->bytes_received - (sk->__sk_common.skc_flags & FIN) / FIN;
	}
	if (life->family == INET6) {
		bpf_probe_read_kernel(life->address, sizeof(life->address), &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(life->peer, sizeof(life->peer), &sk->__sk_common.skc_v6_daddr);
	} else {
		__builtin_memset(life->address, 0, sizeof(life->address));
		__builtin_memset(life->peer, 0, sizeof(life->peer));
		life->address[0] = sk->__sk_common.skc_rcv_saddr;
		life->peer[0] = sk->__sk_common.skc_daddr;
	}
	submit(lives, life);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old, int new)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;

	u64 key = (u64)sk;
	struct skep_birth *birth = bpf_map_lookup_elem(&births, &key);

	if (new == TCP_SYN_SENT || (new == TCP_ESTABLISHED && !birth)) {
		struct skep_birth first = {};

		if (new == TCP_SYN_SENT)
			claim(&first);
		else
			first.time = bpf_ktime_get_boot_ns();
		bpf_map_update_elem(&births, &key, &first, BPF_ANY);
	} else if (!birth) {
		return 0;
	} else if (new == TCP_ESTABLISHED) {
		birth->time = bpf_ktime_get_boot_ns();
	} else if (new == TCP_CLOSE) {
		if (birth->time)
			tell(sk, birth);
		bpf_map_delete_elem(&births, &key);
	} else if (birth->pid == 0 && (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK)) {
		claim(birth);
	}
	return 0;
}
