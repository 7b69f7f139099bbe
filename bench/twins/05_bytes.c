/* A packet looks the same on every kernel. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "count.h"

#define NEXT -1 /* TCX_NEXT, the same as TC_ACT_UNSPEC */

struct skep_ports {
	__be16 source;
	__be16 destination;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u64);
} sent SEC(".maps"), received SEC(".maps");

/* The ports of a TCP packet without options of IP. */
static __always_inline struct skep_ports *ports(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct skep_ports *ports = (void *)(ip + 1);

	if ((void *)(ports + 1) > end || ip->protocol != IPPROTO_TCP)
		return NULL;
	return ports;
}

SEC("tc")
int on_egress(struct __sk_buff *ctx)
{
	struct skep_ports *found = ports(ctx);

	if (found)
		increment(&sent, bpf_ntohs(found->source), ctx->len);
	return NEXT;
}

SEC("tc")
int on_ingress(struct __sk_buff *ctx)
{
	struct skep_ports *found = ports(ctx);

	if (found)
		increment(&received, bpf_ntohs(found->destination), ctx->len);
	return NEXT;
}
