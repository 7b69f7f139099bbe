#include "skep.h"

struct skep_process {
	u32 pid;
	u32 ppid;
	u32 uid;
	u32 gid;
	u64 cgroup;
	u64 start;
	char comm[16];
};

SEC("iter/task")
int processes(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct bpf_iter_meta *meta = context->meta;

	if (!task || !meta)
		return 0;
	if (task->pid != task->tgid || task->signal->live.counter == 0)
		return 0;

	struct skep_process row;

	row.pid = task->tgid;
	row.ppid = task->real_parent->tgid;
	row.uid = task->real_cred->uid.val;
	row.gid = task->real_cred->gid.val;
	row.cgroup = task->cgroups->dfl_cgrp->kn->id;
	row.start = task->start_boottime;
	bpf_probe_read_kernel(row.comm, sizeof(row.comm), task->comm);
	bpf_seq_write(meta->seq, &row, sizeof(row));
	return 0;
}
