#include "count.h"

#define RUNNING 0
#define SLOTS 64

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, u32);
	__type(value, u64);
} ready SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, u64);
} waits SEC(".maps");

static __always_inline void enqueue(struct task_struct *task)
{
	u32 pid = task->pid;
	u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&ready, &pid, &now, BPF_ANY);
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	enqueue(task);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_new, struct task_struct *task)
{
	enqueue(task);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	if (prev_state == RUNNING)
		enqueue(prev);

	u32 pid = next->pid;
	u64 *since = bpf_map_lookup_elem(&ready, &pid);

	if (since) {
		increment_own(&waits, log2((bpf_ktime_get_ns() - *since) / 1000));
		bpf_map_delete_elem(&ready, &pid);
	}
	return 0;
}
