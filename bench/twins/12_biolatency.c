#include "count.h"

#define SLOTS 64

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, u64);
} issued SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, u64);
} latencies SEC(".maps");

SEC("tp_btf/block_rq_issue")
int BPF_PROG(on_issue, struct request *rq)
{
	u64 key = (u64)rq;
	u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&issued, &key, &now, BPF_ANY);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_complete, struct request *rq, blk_status_t error, unsigned int nr_bytes)
{
	if (nr_bytes < rq->__data_len)
		return 0;

	u64 key = (u64)rq;
	u64 *since = bpf_map_lookup_elem(&issued, &key);

	if (since) {
		increment_own(&latencies, log2((bpf_ktime_get_ns() - *since) / 1000));
		bpf_map_delete_elem(&issued, &key);
	}
	return 0;
}
