#include "skep.h"

#define EXEC 62149 /* by its name */

struct skep_exec {
	struct skep_record head;
	u32 pid;
	char comm[16];
};
_Static_assert(sizeof(struct skep_exec) == 48, "as in Python");

RING(ring, 1 << 20);

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct skep_exec *event = reserve(ring, struct skep_exec, EXEC);

	if (!event)
		return 0;
	event->pid = task->tgid;
	bpf_probe_read_kernel(event->comm, sizeof(event->comm), task->comm);
	submit(ring, event);
	return 0;
}
