#include "skep.h"

struct skep_calls {
	u64 count;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct skep_calls);
} calls SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *regs, long number)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct skep_calls *known = bpf_map_lookup_elem(&calls, &pid);

	if (known) {
		__sync_fetch_and_add(&known->count, 1);
		return 0;
	}

	struct skep_calls first = { .count = 1 };

	bpf_get_current_comm(first.comm, sizeof(first.comm));
	bpf_map_update_elem(&calls, &pid, &first, BPF_ANY);
	return 0;
}
