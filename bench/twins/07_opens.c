#include "skep.h"

#define OPEN 47012 /* as all names that have no number of ours, by its name */

struct skep_open {
	struct skep_record head;
	u32 pid;
	u32 how;
	char comm[16];
	char name[96];
};
_Static_assert(sizeof(struct skep_open) == 144, "as in Python");

RING(opens, 1 << 20);

SEC("tracepoint/syscalls/sys_enter_openat")
int on_open(struct trace_event_raw_sys_enter *ctx)
{
	struct skep_open *event = reserve(opens, struct skep_open, OPEN);

	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->how = ctx->args[2];
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	__builtin_memset(event->name, 0, sizeof(event->name));
	bpf_probe_read_user_str(event->name, sizeof(event->name), (void *)ctx->args[1]);
	submit(opens, event);
	return 0;
}
