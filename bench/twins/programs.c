#include "count.h"

#define GETPID 39
#define ADD_KEY 248

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} counts SEC(".maps"), others SEC(".maps");

SEC("raw_tp/sys_enter")
int BPF_PROG(count_getpid, struct pt_regs *regs, long number)
{
	if (number == GETPID)
		increment_own(&counts, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_add_key")
int count_other(struct trace_event_raw_sys_enter *ctx)
{
	increment_own(&others, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
int BPF_PROG(count_other_raw, struct pt_regs *regs, long number)
{
	if (number == ADD_KEY)
		increment_own(&others, 0);
	return 0;
}
