#include "count.h"

#define REFUSED 0x7f000002
#define REFUSE 0
#define ALLOW 1

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, u64);
} attempts SEC(".maps");

SEC("cgroup/connect4")
int on_connect(struct bpf_sock_addr *ctx)
{
	int verdict = bpf_ntohl(ctx->user_ip4) == REFUSED ? REFUSE : ALLOW;

	increment_element(&attempts, verdict);
	return verdict;
}
