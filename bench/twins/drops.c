#include "skep.h"

#define DROP 8

#define TOLD 16
#define WINDOW 8

#define INET 2
#define INET6 10
#define IPV4 0x0800
#define IPV6 0x86dd
#define FRAGMENT 0x1fff
#define KERNEL (0xffULL << 56)

struct skep_drop {
	struct skep_record head;
	u32 reason;
	u16 protocol;
	u16 family;
	u64 location;
	u32 ifindex;
	u32 netns;
	u32 saddr[4];
	u32 daddr[4];
	u16 sport;
	u16 dport;
	u8 l4;
	u32 length;
	u64 cgroup;
	u8 unused[24];
};
_Static_assert(sizeof(struct skep_drop) == 128, "as in Python");

struct skep_site {
	u64 location;
	u32 reason;
	u32 unused;
};

struct skep_count {
	u64 total;
	u64 told;
	u64 window;
	u64 in_window;
};

struct skep_ip4 {
	u8 ihl : 4;
	u8 version : 4;
	u8 service;
	__be16 length;
	__be16 number;
	__be16 fragment;
	u8 ttl;
	u8 protocol;
	__be16 checksum;
	u32 source;
	u32 destination;
};

struct skep_ip6 {
	u8 priority : 4;
	u8 version : 4;
	u8 unused[3];
	__be16 length;
	u8 next;
	u8 hops;
	u32 source[4];
	u32 destination[4];
};

struct skep_ports {
	__be16 source;
	__be16 destination;
};

RING(drops, 1 << 20);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct skep_site);
	__type(value, struct skep_count);
} sites SEC(".maps");

u64 unlisted SEC(".data.unlisted");

static __always_inline void put_ports(struct skep_drop *event, u8 protocol, u64 header)
{
	struct skep_ports ports;

	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP &&
	    protocol != IPPROTO_UDPLITE)
		return;
	bpf_probe_read_kernel(&ports, sizeof(ports), (void *)header);
	event->sport = bpf_ntohs(ports.source);
	event->dport = bpf_ntohs(ports.destination);
}

static __always_inline void put_v4(struct skep_drop *event, u64 header)
{
	struct skep_ip4 ip;

	bpf_probe_read_kernel(&ip, sizeof(ip), (void *)header);
	if (ip.version != 4)
		return;
	event->family = INET;
	if (ip.length)
		event->length = bpf_ntohs(ip.length);
	event->l4 = ip.protocol;
	event->saddr[0] = ip.source;
	event->daddr[0] = ip.destination;
	if (!(bpf_ntohs(ip.fragment) & FRAGMENT))
		put_ports(event, ip.protocol, header + ip.ihl * 4);
}

static __always_inline void put_v6(struct skep_drop *event, u64 header)
{
	struct skep_ip6 ip;

	bpf_probe_read_kernel(&ip, sizeof(ip), (void *)header);
	if (ip.version != 6)
		return;
	event->family = INET6;
	if (ip.length)
		event->length = bpf_ntohs(ip.length) + sizeof(ip);
	event->l4 = ip.next;
	__builtin_memcpy(event->saddr, ip.source, sizeof(ip.source));
	__builtin_memcpy(event->daddr, ip.destination, sizeof(ip.destination));
	put_ports(event, ip.next, header + sizeof(ip));
}

static __always_inline void put_socket(struct skep_drop *event, struct sock *sk)
{
	u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	event->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV)
		event->cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id);
}

static void tell(struct sk_buff *skb, u64 location, u32 reason, u64 sk)
{
	struct skep_drop *event = reserve(drops, struct skep_drop, DROP);

	if (!event)
		return;
	event->reason = reason;
	event->location = location;
	event->length = skb->len;
	event->family = 0;
	event->netns = 0;
	event->cgroup = 0;
	event->l4 = 0;
	event->sport = 0;
	event->dport = 0;
	__builtin_memset(event->saddr, 0, sizeof(event->saddr));
	__builtin_memset(event->daddr, 0, sizeof(event->daddr));

	u16 protocol = bpf_ntohs(skb->protocol);
	struct net_device *dev = skb->dev;

	event->protocol = protocol;
	if ((u64)dev >= KERNEL) {
		event->ifindex = dev->ifindex;
		event->netns = dev->nd_net.net->ns.inum;
	} else {
		event->ifindex = skb->skb_iif;
	}
	if (sk >= KERNEL)
		put_socket(event, (struct sock *)sk);

	u64 header = (u64)skb->head + skb->network_header;

	if (protocol == IPV4)
		put_v4(event, header);
	else if (protocol == IPV6)
		put_v6(event, header);
	submit(drops, event);
}

static bool counted(u64 location, u32 reason, u64 most)
{
	struct skep_site site = { .location = location, .reason = reason };
	struct skep_count *count = bpf_map_lookup_elem(&sites, &site);

	if (!count) {
		struct skep_count none = {};

		bpf_map_update_elem(&sites, &site, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&sites, &site);
		if (!count) {
			__sync_fetch_and_add(&unlisted, 1);
			return false;
		}
	}
	count->total += 1;

	u64 window = bpf_jiffies64() >> WINDOW;

	if (count->window != window) {
		count->window = window;
		count->in_window = 0;
	}
	if (count->in_window >= most)
		return false;
	count->in_window += 1;
	count->told += 1;
	return true;
}

static __always_inline bool wanted(struct sk_buff *skb, u64 location, u32 reason)
{
	if (reason < SKB_DROP_REASON_NOT_SPECIFIED || !skb->protocol)
		return false;

	bool stray = reason == SKB_DROP_REASON_NOT_SPECIFIED &&
		     (skb->pkt_type == 1 || skb->pkt_type == 2);

	return counted(location, reason, stray ? 0 : TOLD);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location, enum skb_drop_reason reason, struct sock *rx_sk)
{
	if (wanted(skb, (u64)location, reason)) {
		u64 sk = (u64)BPF_CORE_READ(skb, sk);

		if (rx_sk)
			sk = (u64)rx_sk;
		tell(skb, (u64)location, reason, sk);
	}
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop_alone, struct sk_buff *skb, void *location, enum skb_drop_reason reason)
{
	if (wanted(skb, (u64)location, reason))
		tell(skb, (u64)location, reason, (u64)BPF_CORE_READ(skb, sk));
	return 0;
}
