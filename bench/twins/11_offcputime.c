#include "skep.h"

#define RUNNING 0
#define DEAD 0x80
#define DEPTH 64
#define STACKS 16384

struct skep_waiter {
	u32 stack;
	u32 pid;
	char comm[16];
};

struct skep_wait {
	u64 since;
	struct skep_waiter at;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct skep_wait);
} waits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, STACKS);
	__uint(key_size, sizeof(u32));
	__uint(value_size, DEPTH * sizeof(u64));
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STACKS);
	__type(key, struct skep_waiter);
	__type(value, u64);
} times SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} missed SEC(".maps");

static __always_inline void count_missed(void)
{
	u32 key = 0;
	u64 *count = bpf_map_lookup_elem(&missed, &key);

	if (count)
		*count += 1;
}

static __always_inline void add(struct skep_waiter *key, u64 ns)
{
	u64 *time = bpf_map_lookup_elem(&times, key);

	if (!time) {
		if (!bpf_map_update_elem(&times, key, &ns, BPF_NOEXIST))
			return;
		time = bpf_map_lookup_elem(&times, key);
	}
	if (time)
		__sync_fetch_and_add(time, ns);
	else
		count_missed();
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	u64 now = bpf_ktime_get_ns();

	if (!preempt && prev_state != RUNNING && !(prev_state & DEAD) && prev->tgid) {
		struct skep_wait *begun = bpf_task_storage_get(&waits, prev, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
		long stack = bpf_get_stackid(ctx, &stacks, 0);

		if (!begun || stack < 0) {
			count_missed();
		} else {
			begun->since = now;
			begun->at.stack = stack;
			begun->at.pid = prev->tgid;
			bpf_probe_read_kernel(begun->at.comm, sizeof(begun->at.comm), prev->comm);
		}
	}

	struct skep_wait *wait = bpf_task_storage_get(&waits, next, NULL, 0);

	if (wait && wait->since) {
		add(&wait->at, now - wait->since);
		wait->since = 0;
	}
	return 0;
}
