/* A packet looks the same on every kernel. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "skep.h"

#define BLOCKED 5555
#define ETH_P_IP 0x0800

struct skep_udp {
	__be16 source;
	__be16 destination;
};

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(eth + 1) > end || (void *)(ip + 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_UDP)
		return XDP_PASS;

	struct skep_udp *udp = (void *)ip + ip->ihl * 4;

	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	return udp->destination == bpf_htons(BLOCKED) ? XDP_DROP : XDP_PASS;
}
