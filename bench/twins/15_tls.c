#include "skep.h"

#define SAID 9430 /* by its name */
#define SHOWN 256

struct skep_said {
	struct skep_record head;
	u64 size;
	u32 thread;
	u32 way;
	u8 data[SHOWN];
};
_Static_assert(sizeof(struct skep_said) == 296, "as in Python");

struct skep_call {
	u64 data;
	u64 moved;
};

RING(texts, 1 << 20);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct skep_call);
} calls SEC(".maps");

SEC("uprobe")
int BPF_KPROBE(on_call, void *ssl, u64 data)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct skep_call call = { .data = data };

	bpf_map_update_elem(&calls, &thread, &call, BPF_ANY);
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(on_call_ex, void *ssl, u64 data, u64 size, u64 moved)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct skep_call call = { .data = data, .moved = moved };

	bpf_map_update_elem(&calls, &thread, &call, BPF_ANY);
	return 0;
}

SEC("uretprobe")
int BPF_KRETPROBE(on_return, int result)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct skep_call *call = bpf_map_lookup_elem(&calls, &thread);

	if (!call || result <= 0)
		return 0;

	struct skep_said *text = reserve(texts, struct skep_said, SAID);

	if (!text)
		return 0;
	text->size = result;
	if (call->moved)
		bpf_probe_read_user(&text->size, sizeof(text->size), (void *)call->moved);
	text->thread = thread;
	text->way = bpf_get_attach_cookie(ctx);
	__builtin_memset(text->data, 0, sizeof(text->data));
	bpf_probe_read_user(text->data, MIN(text->size, SHOWN), (void *)call->data);
	submit(texts, text);
	return 0;
}
