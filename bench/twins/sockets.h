/* What the twins of connections and attempts share: a connection's record, the open ones, sockets of a process. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "skep.h"

#define CONNECT 5

#define FAILED 4

#define INET 2
#define INET6 10
#define MAPPED bpf_htonl(0xffff)
#define MPTCP 262
#define OWN 1
#define TOLD 2

struct skep_connect {
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
	u8 unused[32];
};
_Static_assert(sizeof(struct skep_connect) == 128, "as in Python");

struct skep_connection {
	u64 since;
	u64 cgroup;
	u32 pid;
	u32 uid;
	u32 opened;
	u32 unused;
	char comm[16];
};

RING(connections, 1 << 20);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, u64);
	__type(value, struct skep_connection);
} open_now SEC(".maps");

#define put_current(place)                                                                         \
	do {                                                                                       \
		struct task_struct *task = bpf_get_current_task_btf();                             \
		(place)->pid = task->tgid;                                                         \
		(place)->uid = task->real_cred->uid.val;                                           \
		(place)->cgroup = task->cgroups->dfl_cgrp->kn->id;                                 \
		bpf_probe_read_kernel((place)->comm, sizeof((place)->comm), task->group_leader->comm); \
	} while (0)

static __always_inline struct sock *socket_at(long fd)
{
	struct file **fds = bpf_get_current_task_btf()->files->fdt->fd;
	struct file *file;

	bpf_probe_read_kernel(&file, sizeof(file), &fds[fd]);

	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk);
}

static __always_inline struct sock *subflow(struct sock *sk)
{
	if (BPF_CORE_READ(sk, sk_protocol) == MPTCP)
		return BPF_CORE_READ((struct mptcp_sock *)sk, first);
	return sk;
}

#endif
