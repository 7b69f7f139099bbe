#include "skep.h"

#define EXEC 1
#define FORK 2
#define EXIT 3

#define FILENAME_GOES_ON 1
#define ARGS_GO_ON 2
#define CUT 4

#define FILENAME 0
#define ARGS 1
#define PIECE 4096
#define HEAD 112
#define LARGEST (256 * 1024)
#define PIECES ((LARGEST - HEAD + PIECE - 1) / PIECE)
#define NAME 64

struct skep_exec {
	struct skep_record head;
	u32 pid;
	u32 ppid;
	u32 uid;
	u32 gid;
	u64 cgroup;
	u64 start;
	u32 args_size;
	u32 filename_size;
	char comm[16];
	char filename[NAME];
	u8 args[HEAD];
};
_Static_assert(sizeof(struct skep_exec) == 256, "as in Python");

struct skep_fork {
	struct skep_record head;
	u32 pid;
	u32 ppid;
	u32 uid;
	u32 gid;
	u64 cgroup;
	u64 start;
	char comm[16];
	u8 unused[184];
};
_Static_assert(sizeof(struct skep_fork) == 256, "as in Python");

struct skep_exit {
	struct skep_record head;
	u32 pid;
	u32 ppid;
	u32 uid;
	s32 code;
	u32 signal;
	u64 cgroup;
	u64 start;
	u64 user_ns;
	u64 system_ns;
	char comm[16];
	u8 unused[160];
};
_Static_assert(sizeof(struct skep_exit) == 256, "as in Python");

struct skep_text {
	struct skep_record head;
	u64 of;
	u32 part;
	u32 offset;
	u32 whole;
	u32 used;
	u8 text[PIECE];
};

#define TEXT_HEADER offsetof(struct skep_text, text)

RING(lifecycle, 1 << 20);
RING(texts, 1 << 20);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct skep_text);
} scratch SEC(".maps");

static __always_inline long send_piece(struct skep_text *piece, u64 address, u64 offset, u64 used)
{
	if (bpf_probe_read_user(piece->text, used, (void *)address) < 0)
		return -1;
	piece->offset = offset;
	piece->used = used;
	return output_quietly(&texts, &texts_state, piece, TEXT_HEADER + used);
}

static u32 send_arguments(u64 of, u64 start, u64 size)
{
	u32 first = 0;
	struct skep_text *piece = bpf_map_lookup_elem(&scratch, &first);

	if (!piece)
		return CUT;

	u64 whole = MIN(size, LARGEST);
	u64 offset = HEAD;

	piece->of = of;
	piece->part = ARGS;
	piece->whole = whole;
	for (int i = 0; i < PIECES; i++) {
		if (whole - offset <= PIECE)
			break;
		if (send_piece(piece, start + offset, offset, PIECE) < 0)
			return CUT;
		offset += PIECE;
	}
	if (send_piece(piece, start + offset, offset, MIN(whole - offset, PIECE)) < 0)
		return CUT;
	return size > LARGEST ? CUT : 0;
}

static __always_inline u32 send_filename(struct skep_exec *event, const char *path)
{
	u32 first = 0;
	struct skep_text *piece = bpf_map_lookup_elem(&scratch, &first);

	if (!piece)
		return CUT;

	long copied = bpf_probe_read_kernel_str(piece->text, sizeof(piece->text), path);

	if (copied <= NAME)
		return 0;

	u32 size = copied - 1;

	event->filename_size = size;
	piece->of = event->head.seq;
	piece->part = FILENAME;
	piece->offset = 0;
	piece->whole = size;
	piece->used = size;
	output_quietly(&texts, &texts_state, piece, TEXT_HEADER + size);
	return FILENAME_GOES_ON;
}

static __always_inline u32 put_filename(struct skep_exec *event, const char *path)
{
	__builtin_memset(event->filename, 0, sizeof(event->filename));

	long copied = bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), path);

	if (copied < 0) {
		event->filename_size = 0;
		return CUT;
	}
	event->filename_size = copied - 1;
	if (copied < NAME)
		return 0;
	return send_filename(event, path);
}

static __always_inline u32 put_arguments(struct skep_exec *event, u64 start, u64 size)
{
	__builtin_memset(event->args, 0, sizeof(event->args));
	if (bpf_probe_read_user(event->args, MIN(size, HEAD), (void *)start) < 0) {
		event->args_size = 0;
		return CUT;
	}
	event->args_size = size;
	if (size <= HEAD)
		return 0;
	return ARGS_GO_ON | send_arguments(event->head.seq, start, size);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct skep_exec *event = reserve(lifecycle, struct skep_exec, EXEC);

	if (!event)
		return 0;
	event->pid = task->tgid;
	event->ppid = task->real_parent->tgid;
	event->uid = task->real_cred->uid.val;
	event->gid = task->real_cred->gid.val;
	event->cgroup = task->cgroups->dfl_cgrp->kn->id;
	event->start = task->start_boottime;
	bpf_probe_read_kernel(event->comm, sizeof(event->comm), task->comm);

	struct mm_struct *mm = task->mm;
	u32 marks = put_filename(event, bprm->filename);

	event->head.flags = marks | put_arguments(event, mm->arg_start, mm->arg_end - mm->arg_start);
	submit(lifecycle, event);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid != child->tgid)
		return 0;

	struct skep_fork *event = reserve(lifecycle, struct skep_fork, FORK);

	if (!event)
		return 0;
	event->pid = child->tgid;
	event->ppid = child->real_parent->tgid;
	event->uid = child->real_cred->uid.val;
	event->gid = child->real_cred->gid.val;
	event->cgroup = child->cgroups->dfl_cgrp->kn->id;
	event->start = child->start_boottime;
	bpf_probe_read_kernel(event->comm, sizeof(event->comm), child->comm);
	submit(lifecycle, event);
	return 0;
}

/* The end. */

#define GROUP_EXIT 4

struct skep_life {
	u32 pid;
	u32 unused;
	u64 start;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct skep_life);
	__type(value, u8);
} told SEC(".maps");

static __always_inline void put_times(struct skep_exit *event, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct task_struct *leader = task->group_leader;
	u64 run = signal->sum_sched_runtime + task->se.sum_exec_runtime;
	u64 user = signal->utime + task->utime;
	u64 system = signal->stime + task->stime;

	if (leader->pid != task->pid) {
		run += leader->se.sum_exec_runtime;
		user += leader->utime;
		system += leader->stime;
	}
	if (!system) {
		event->user_ns = run;
		event->system_ns = 0;
		return;
	}

	u64 share = (system >> 8) * 65536 / ((user + system) >> 8);
	u64 in_kernel = (run >> 16) * share;

	event->system_ns = in_kernel;
	event->user_ns = run - in_kernel;
}

static __always_inline void ended(struct task_struct *task)
{
	struct skep_exit *event = reserve(lifecycle, struct skep_exit, EXIT);

	if (!event)
		return;

	struct task_struct *leader = task->group_leader;

	event->pid = task->tgid;
	event->ppid = task->real_parent->tgid;
	event->uid = task->real_cred->uid.val;
	event->cgroup = task->cgroups->dfl_cgrp->kn->id;
	event->start = leader->start_boottime;
	bpf_probe_read_kernel(event->comm, sizeof(event->comm), leader->comm);

	int status = leader->exit_code;

	if (task->signal->flags & GROUP_EXIT)
		status = task->signal->group_exit_code;
	event->code = status >> 8 & 0xff;
	event->signal = status & 0x7f;
	put_times(event, task);
	submit(lifecycle, event);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task, bool group_dead)
{
	if (group_dead)
		ended(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_last_exit, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;

	if (signal->live.counter)
		return 0;
	if (signal->nr_threads > 1 || signal->sum_sched_runtime) {
		struct skep_life life = { .pid = task->tgid, .start = task->group_leader->start_boottime };
		u8 one = 1;

		if (bpf_map_update_elem(&told, &life, &one, BPF_NOEXIST) < 0)
			return 0;
	}
	ended(task);
	return 0;
}
