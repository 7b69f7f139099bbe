#include "skep.h"

#define OPENED 33627 /* by its name */

struct skep_opened {
	struct skep_record head;
	u32 pid;
	s32 result;
	char comm[16];
	char name[192];
};
_Static_assert(sizeof(struct skep_opened) == 240, "as in Python");

RING(opens, 1 << 20);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10240);
	__type(key, u64);
	__type(value, u64);
} names SEC(".maps");

static __always_inline void note(u64 name)
{
	u64 thread = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&names, &thread, &name, BPF_ANY);
}

SEC("tracepoint/syscalls/sys_enter_open")
int on_open(struct trace_event_raw_sys_enter *ctx)
{
	note(ctx->args[0]);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int on_openat(struct trace_event_raw_sys_enter *ctx)
{
	note(ctx->args[1]);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_openat")
int on_opened(struct trace_event_raw_sys_exit *ctx)
{
	u64 thread = bpf_get_current_pid_tgid();
	u64 *name = bpf_map_lookup_elem(&names, &thread);

	if (!name)
		return 0;

	struct skep_opened *event = reserve(opens, struct skep_opened, OPENED);

	if (event) {
		event->pid = thread >> 32;
		event->result = ctx->ret;
		bpf_get_current_comm(event->comm, sizeof(event->comm));
		__builtin_memset(event->name, 0, sizeof(event->name));
		bpf_probe_read_user_str(event->name, sizeof(event->name), (void *)*name);
		submit(opens, event);
	}
	bpf_map_delete_elem(&names, &thread);
	return 0;
}
