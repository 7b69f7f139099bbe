/* A packet looks the same on every kernel. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "skep.h"

#define AT_ONCE 20ULL
#define COST 1000000000ULL
#define ETH_P_IP 0x0800

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, u64);
} full_at SEC(".maps");

SEC("xdp")
int limit(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(eth + 1) > end || (void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	u32 source = ip->saddr;
	u64 now = bpf_ktime_get_ns();
	u64 *bucket = bpf_map_lookup_elem(&full_at, &source);

	if (!bucket) {
		u64 first = now + COST;

		if (!bpf_map_update_elem(&full_at, &source, &first, BPF_NOEXIST))
			return XDP_PASS;
		bucket = bpf_map_lookup_elem(&full_at, &source);
		if (!bucket)
			return XDP_DROP;
	}
	for (int i = 0; i < 8; i++) {
		u64 before = *(volatile u64 *)bucket;
		u64 after = MAX(before, now) + COST;

		if (after > now + AT_ONCE * COST)
			return XDP_DROP;
		if (__sync_val_compare_and_swap(bucket, before, after) == before)
			return XDP_PASS;
	}
	return XDP_DROP;
}
