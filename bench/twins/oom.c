#include "skep.h"

#define OOM 4
#define ONLY_PID 1
#define PAGE 4096

struct skep_oom {
	struct skep_record head;
	u32 pid;
	u32 uid;
	u64 cgroup;
	u64 resident_bytes;
	char comm[16];
	u8 unused[192];
};
_Static_assert(sizeof(struct skep_oom) == 256, "as in Python");

/* What a process has resident, since Linux 6.2 and before. */
struct mm_struct___counters {
	struct percpu_counter rss_stat[4];
} __attribute__((preserve_access_index));

struct mm_rss_stat___numbers {
	atomic_long_t count[4];
} __attribute__((preserve_access_index));

struct mm_struct___numbers {
	struct mm_rss_stat___numbers rss_stat;
} __attribute__((preserve_access_index));

RING(lifecycle, 1 << 20);

static __always_inline void killed(struct task_struct *task, u64 pages)
{
	struct skep_oom *event = reserve(lifecycle, struct skep_oom, OOM);

	if (!event)
		return;
	event->pid = task->tgid;
	event->uid = task->real_cred->uid.val;
	event->cgroup = task->cgroups->dfl_cgrp->kn->id;
	bpf_probe_read_kernel(event->comm, sizeof(event->comm), task->group_leader->comm);
	event->resident_bytes = pages * PAGE;
	submit(lifecycle, event);
}

static u64 positive(s64 count)
{
	return MAX(count, 0);
}

SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim, struct task_struct *task)
{
	struct percpu_counter *rss = ((struct mm_struct___counters *)task->mm)->rss_stat;

	killed(task, positive(rss[MM_FILEPAGES].count) + positive(rss[MM_ANONPAGES].count) +
			     positive(rss[MM_SHMEMPAGES].count));
	return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim_before, struct task_struct *task)
{
	struct mm_struct___numbers *mm = (void *)task->mm;
	u64 pages = positive(BPF_CORE_READ(mm, rss_stat.count[MM_FILEPAGES].counter)) +
		    positive(BPF_CORE_READ(mm, rss_stat.count[MM_ANONPAGES].counter));

	killed(task, pages + positive(BPF_CORE_READ(mm, rss_stat.count[MM_SHMEMPAGES].counter)));
	return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(on_victim_pid, int pid)
{
	struct skep_oom *event = reserve(lifecycle, struct skep_oom, OOM);

	if (!event)
		return 0;
	event->pid = pid;
	event->uid = 0;
	event->cgroup = 0;
	event->resident_bytes = 0;
	__builtin_memset(event->comm, 0, sizeof(event->comm));
	event->head.flags = ONLY_PID;
	submit(lifecycle, event);
	return 0;
}
