#include "count.h"

#define LIMIT 512
#define TS_COMPAT 2

struct wanted {
	u64 bits[LIMIT / 64];
};

struct wanted entries SEC(".data.entries");
struct wanted exits SEC(".data.exits");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LIMIT);
	__type(key, u32);
	__type(value, u64);
} called SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} next SEC(".maps"), next_exit SEC(".maps");

static __always_inline bool native(void)
{
	return !(bpf_get_current_task_btf()->thread_info.status & TS_COMPAT);
}

static __always_inline bool passes(struct wanted *wanted, u64 number)
{
	return number < LIMIT && wanted->bits[number >> 6] >> (number & 63) & 1 && native();
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter_gate, struct pt_regs *regs, u64 number)
{
	if (!passes(&entries, number))
		return 0;
	bpf_tail_call(ctx, &next, 0);
	return 1;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_gate, struct pt_regs *regs, long result)
{
	if (!passes(&exits, regs->orig_ax))
		return 0;
	bpf_tail_call(ctx, &next_exit, 0);
	return 1;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter_count, struct pt_regs *regs, u64 number)
{
	if (number < LIMIT && native())
		increment_own(&called, number);
	return 0;
}
