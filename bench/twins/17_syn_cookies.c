/* A packet looks the same on every kernel. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "count.h"

#define ETH_P_IP 0x0800
#define SYN 0x02
#define ACK 0x10
#define WORDS 10

struct skep_segment {
	__be16 source;
	__be16 destination;
	__be32 sequence;
	__be32 acknowledged;
	u8 words;
	u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
	u8 options[20];
};

struct skep_ends {
	__be32 source;
	__be32 destination;
	__be16 ports[2];
};

struct skep_pseudo {
	__be32 source;
	__be32 destination;
	__be16 protocol;
	__be16 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} answered SEC(".maps");

static __always_inline void set_checksum(struct iphdr *ip, struct skep_segment *segment)
{
	struct skep_pseudo pseudo = {
		.source = ip->saddr,
		.destination = ip->daddr,
		.protocol = bpf_htons(IPPROTO_TCP),
		.length = bpf_htons(sizeof(*segment)),
	};
	u32 total = bpf_csum_diff(NULL, 0, (void *)&pseudo, sizeof(pseudo), 0);

	total = bpf_csum_diff(NULL, 0, (void *)segment, sizeof(*segment), total);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	segment->checksum = ~total;
}

SEC("xdp")
int answers(struct xdp_md *ctx)
{
	static const u8 options[20] = {2, 4, 1460 >> 8, 1460 & 255, 1, 1, 1, 1, 1, 1,
				       1, 1, 1,	        1,	    1, 1, 1, 1, 1, 1};
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct skep_segment *syn = (void *)(ip + 1);
	struct skep_ends ends = {};
	struct bpf_sock *listener;
	u8 mac[6];
	__be32 address;
	__be16 port;
	s64 cookie;

	if ((void *)(syn + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_TCP ||
	    ip->tot_len != bpf_htons(sizeof(*ip) + sizeof(*syn)))
		return XDP_PASS;
	if ((syn->flags & (SYN | ACK)) != SYN || syn->words >> 4 != WORDS)
		return XDP_PASS;
	ends.source = ip->saddr;
	ends.destination = ip->daddr;
	ends.ports[0] = syn->source;
	ends.ports[1] = syn->destination;
	listener = bpf_skc_lookup_tcp(ctx, (void *)&ends, sizeof(ends), -1, 0);
	if (!listener)
		return XDP_PASS;
	cookie = bpf_tcp_gen_syncookie(listener, ip, sizeof(*ip), (void *)syn, sizeof(*syn));
	bpf_sk_release(listener);
	if (cookie < 0)
		return XDP_PASS;
	__builtin_memcpy(mac, eth->h_source, sizeof(mac));
	__builtin_memcpy(eth->h_source, eth->h_dest, sizeof(mac));
	__builtin_memcpy(eth->h_dest, mac, sizeof(mac));
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	port = syn->source;
	syn->source = syn->destination;
	syn->destination = port;
	syn->acknowledged = bpf_htonl(bpf_ntohl(syn->sequence) + 1);
	syn->sequence = bpf_htonl(cookie);
	syn->flags = SYN | ACK;
	syn->window = bpf_htons(65535);
	syn->checksum = 0;
	__builtin_memcpy(syn->options, options, sizeof(options));
	set_checksum(ip, syn);
	increment_own(&answered, 0);
	return XDP_TX;
}
