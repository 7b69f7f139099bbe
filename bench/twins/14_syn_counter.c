/* A packet looks the same on every kernel. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "count.h"

#define NEXT -1 /* TCX_NEXT, the same as TC_ACT_UNSPEC */
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define FRAGMENT 0x1fff
#define SYN 0x02
#define ACK 0x10

struct skep_tcp {
	__be16 source;
	__be16 destination;
	u8 numbers[9];
	u8 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, u64);
} syns SEC(".maps");

SEC("tc")
int on_packet(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	void *next = eth + 1;
	struct skep_tcp *tcp;
	u8 protocol;

	if (next > end)
		return NEXT;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = next;

		if ((void *)(ip + 1) > end || ip->frag_off & bpf_htons(FRAGMENT))
			return NEXT;
		tcp = next + ip->ihl * 4;
		protocol = ip->protocol;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = next;

		if ((void *)(ip + 1) > end)
			return NEXT;
		tcp = (void *)(ip + 1);
		protocol = ip->nexthdr;
	} else {
		return NEXT;
	}
	if (protocol != IPPROTO_TCP || (void *)(tcp + 1) > end)
		return NEXT;
	if ((tcp->flags & (SYN | ACK)) == SYN)
		increment_own(&syns, bpf_ntohs(tcp->destination));
	return NEXT;
}
