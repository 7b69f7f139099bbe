#include "count.h"

#define SLOTS 64

struct skep_moment {
	u64 ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 10240);
	__type(key, u32);
	__type(value, u64);
} by_process SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct skep_moment);
} begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, u64);
} took SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_getpid")
int count(struct trace_event_raw_sys_enter *ctx)
{
	increment_own(&calls, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpid")
int keyed(struct trace_event_raw_sys_enter *ctx)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	u64 *count = bpf_map_lookup_elem(&by_process, &pid);

	if (!count) {
		u64 first = 1;

		if (!bpf_map_update_elem(&by_process, &pid, &first, BPF_NOEXIST))
			return 0;
		count = bpf_map_lookup_elem(&by_process, &pid); /* another CPU was faster */
	}
	if (count)
		*count += 1;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpid")
int begin(struct trace_event_raw_sys_enter *ctx)
{
	struct skep_moment *moment = bpf_task_storage_get(&begun, bpf_get_current_task_btf(), NULL,
							  BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (moment)
		moment->ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_getpid")
int end(struct trace_event_raw_sys_exit *ctx)
{
	struct skep_moment *moment = bpf_task_storage_get(&begun, bpf_get_current_task_btf(), NULL, 0);

	if (!moment || !moment->ns)
		return 0;
	increment_own(&took, log2(bpf_ktime_get_ns() - moment->ns));
	moment->ns = 0;
	return 0;
}
