#include "count.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} counts SEC(".maps"), others SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_getpid")
int count_getpid(struct trace_event_raw_sys_enter *ctx)
{
	increment_own(&counts, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_add_key")
int count_other(struct trace_event_raw_sys_enter *ctx)
{
	increment_own(&others, 0);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(nothing, struct pt_regs *regs, long number)
{
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpid")
int nothing_at_getpid(struct trace_event_raw_sys_enter *ctx)
{
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_add_key")
int nothing_elsewhere(struct trace_event_raw_sys_enter *ctx)
{
	return 0;
}
