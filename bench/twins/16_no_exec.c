#include "count.h"

#define EPERM 1

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u32);
} refused SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} guarded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} count SEC(".maps");

SEC("lsm/bprm_check_security")
int BPF_PROG(on_exec, struct linux_binprm *bprm, int result)
{
	if (result || bpf_current_task_under_cgroup(&guarded, 0) != 1)
		return result;
	if (!bpf_inode_storage_get(&refused, bprm->file->f_inode, NULL, 0))
		return 0;
	increment_element(&count, 0);
	return -EPERM;
}
