/* The datapath of a pod: parse, service, track, policy, nat, report. A packet looks the same on every kernel. */
#define BPF_NO_PRESERVE_ACCESS_INDEX
#include "skep.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_ARP 0x0806
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define MAPPED 0xFFFF0000
#define HEADERS 128
#define EXTENSIONS 4
#define TABLE 1021
#define SERVICES 16
#define BACKENDS 256
#define VERDICTS 32
#define LONGEST 16
#define SECOND 1000000000ULL
#define DROP_KIND 0

enum { HOP_BY_HOP = 0, ROUTING_HEADER = 43, FRAGMENT_HEADER = 44, ICMPV6 = 58, OPTIONS = 60 };
enum { OUT, IN, SERVICE };
enum { ANY, WORLD };
enum { ALLOW = 1, DENY };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { ANSWERED = 1, ENDED = 2, ENDED_BACK = 4, RESET = 8 };
enum { OPENING, OPEN, CLOSING, ASKED, REPLIED, ECHO };
enum {
	NEW, ESTABLISHED, REPLY, RELATED, CONTROL,
	SHORT = 8, MALFORMED, ETHERTYPE, PROTOCOL, FRAGMENT, DENIED, NOT_ALLOWED, UNRELATED, NO_BACKEND, NO_ROOM,
	NOT_REWRITTEN,
};

union address {
	u32 words[4];
	u8 bytes[16];
};

struct flow {
	union address source;
	union address destination;
	__be16 source_port;
	__be16 destination_port;
	u8 protocol;
	u8 opened;
	u16 unused;
};

struct connection {
	u64 expires;
	u32 seen;
	u32 revision;
	u16 service;
	u16 backend;
	u32 unused;
};

struct prefix {
	u32 bits;
	u8 address[16];
};

struct policy_key {
	u32 identity;
	u16 port;
	u8 bits;
	u8 protocol;
	u32 direction;
};

struct service_key {
	union address address;
	__be16 port;
	u8 protocol;
	u8 unused;
};

struct place {
	union address address;
	__be16 port;
	u16 protocol;
};

struct count {
	u64 packets;
	u64 bytes;
};

struct drop {
	struct skep_record head;
	union address source;
	union address destination;
	__be16 source_port;
	__be16 destination_port;
	u8 protocol;
	u8 direction;
	u8 reason;
	u8 unused;
	u32 identity;
	u32 bytes;
};

struct shape {
	u32 lengths;
	u32 revision;
};

struct settings {
	u8 default_deny[2];
	u32 timeouts[8];
};

struct extension {
	u8 next;
	u8 length;
};

struct ports {
	__be16 source;
	__be16 destination;
};

struct echo {
	u8 type;
	u8 code;
	u16 checksum;
	__be16 id;
	__be16 sequence;
};

struct tcp {
	struct ports ports;
	u32 sequence;
	u32 acknowledged;
	u8 head;
	u8 flags;
	__be16 window;
	u16 checksum;
	u16 urgent;
};

#define MAP(kind, name, key_type, value_type, entries, map_options)                                \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, entries);                                                      \
		__uint(map_flags, map_options);                                                    \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

MAP(BPF_MAP_TYPE_LPM_TRIE, identities, struct prefix, u32, 65536, BPF_F_NO_PREALLOC);
MAP(BPF_MAP_TYPE_HASH, policies, struct policy_key, u8, 16384, 0);
MAP(BPF_MAP_TYPE_LRU_HASH, connections, struct flow, struct connection, 65536, 0);
MAP(BPF_MAP_TYPE_HASH, services, struct service_key, u32, SERVICES, 0);
MAP(BPF_MAP_TYPE_ARRAY, frontends, u32, struct place, SERVICES, 0);
MAP(BPF_MAP_TYPE_ARRAY, maglev, u32, u16, SERVICES * TABLE, 0);
MAP(BPF_MAP_TYPE_ARRAY, backends, u32, struct place, BACKENDS, 0);
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, counts, u32, struct count, 2 * VERDICTS, 0);
RING(drops, 1 << 20);

struct shape shape SEC(".data.shape");
const volatile struct settings settings SEC(".rodata.settings") = {{1, 1}, {60, 8000, 10, 30, 120, 30}};

/* What is known of a packet on its way. */
struct packet {
	struct flow flow;
	u32 at;
	u32 peer;
	u16 service;
	u8 flags;
};

/* The packet from an offset on, or NULL where it is too short. */
static __always_inline void *view(struct __sk_buff *ctx, u32 at, u32 size)
{
	void *start = (void *)(long)ctx->data + at;

	return start + size > (void *)(long)ctx->data_end ? NULL : start;
}

static __always_inline bool is_mapped(const union address *address)
{
	return (address->words[0] | address->words[1]) == 0 && address->words[2] == MAPPED;
}

static __always_inline int parse_ipv4(struct __sk_buff *ctx, struct flow *flow, u32 *at)
{
	struct iphdr *ip = view(ctx, *at, sizeof(*ip));

	if (!ip)
		return SHORT;
	if (ip->version != 4 || ip->ihl < 5)
		return MALFORMED;
	flow->source.words[2] = MAPPED;
	flow->source.words[3] = ip->saddr;
	flow->destination.words[2] = MAPPED;
	flow->destination.words[3] = ip->daddr;
	flow->protocol = ip->protocol;
	if (ip->frag_off & bpf_htons(0x3FFF))
		return FRAGMENT;
	*at += ip->ihl * 4;
	return NEW;
}

static __always_inline int parse_ipv6(struct __sk_buff *ctx, struct flow *flow, u32 *at)
{
	struct ipv6hdr *ip = view(ctx, *at, sizeof(*ip));

	if (!ip)
		return SHORT;
	if (ip->version != 6)
		return MALFORMED;
	__builtin_memcpy(&flow->source, &ip->saddr, 16);
	__builtin_memcpy(&flow->destination, &ip->daddr, 16);
	if (is_mapped(&flow->source) || is_mapped(&flow->destination))
		return MALFORMED;

	u8 next = ip->nexthdr;

	*at += sizeof(*ip);
	for (int i = 0; i < EXTENSIONS; i++) {
		if (next != HOP_BY_HOP && next != ROUTING_HEADER && next != OPTIONS)
			break;

		struct extension *extension = view(ctx, *at, sizeof(*extension));

		if (!extension)
			return SHORT;
		next = extension->next;
		*at += (extension->length + 1) * 8;
	}
	flow->protocol = next;
	return next == FRAGMENT_HEADER ? FRAGMENT : NEW;
}

static __always_inline int parse_network(struct __sk_buff *ctx, struct packet *packet)
{
	struct ethhdr *eth = view(ctx, 0, sizeof(*eth));

	if (!eth)
		return SHORT;
	packet->at = sizeof(*eth);
	switch (eth->h_proto) {
	case bpf_htons(ETH_P_IP):
		return parse_ipv4(ctx, &packet->flow, &packet->at);
	case bpf_htons(ETH_P_IPV6):
		return parse_ipv6(ctx, &packet->flow, &packet->at);
	case bpf_htons(ETH_P_ARP):
		return CONTROL;
	}
	return ETHERTYPE;
}

static __always_inline bool is_error(u8 type, bool old)
{
	return old ? type == 3 || type == 11 || type == 12 : type <= 4;
}

static __always_inline int parse_echo(struct __sk_buff *ctx, struct flow *flow, u32 at)
{
	struct echo *icmp = view(ctx, at, sizeof(*icmp));
	bool old = flow->protocol == IPPROTO_ICMP;

	if (!icmp)
		return SHORT;
	if (icmp->type == (old ? 8 : 128))
		flow->source_port = icmp->id;
	else if (icmp->type == (old ? 0 : 129))
		flow->destination_port = icmp->id;
	else if (is_error(icmp->type, old))
		return RELATED;
	else if (!old && ((icmp->type >= 130 && icmp->type <= 137) || icmp->type == 143))
		return CONTROL;
	return NEW;
}

static __always_inline int parse_ports(struct flow *flow, const struct ports *ports)
{
	flow->source_port = ports->source;
	flow->destination_port = ports->destination;
	return NEW;
}

static __always_inline int parse_transport(struct __sk_buff *ctx, struct packet *packet)
{
	struct udphdr *udp;
	struct tcp *tcp;

	switch (packet->flow.protocol) {
	case IPPROTO_TCP:
		tcp = view(ctx, packet->at, sizeof(*tcp));
		if (!tcp)
			return SHORT;
		packet->flags = tcp->flags;
		return parse_ports(&packet->flow, &tcp->ports);
	case IPPROTO_UDP:
		udp = view(ctx, packet->at, sizeof(*udp));
		return udp ? parse_ports(&packet->flow, (struct ports *)udp) : SHORT;
	case IPPROTO_ICMP:
	case ICMPV6:
		return parse_echo(ctx, &packet->flow, packet->at);
	}
	return PROTOCOL;
}

static __always_inline int parse_quoted(struct __sk_buff *ctx, struct flow *flow, u32 *at, bool old)
{
	int verdict = old ? parse_ipv4(ctx, flow, at) : parse_ipv6(ctx, flow, at);

	if (verdict != NEW)
		return verdict;
	if (flow->protocol == IPPROTO_ICMP || flow->protocol == ICMPV6)
		return parse_echo(ctx, flow, *at);

	struct ports *ports = view(ctx, *at, sizeof(*ports));

	return ports ? parse_ports(flow, ports) : SHORT;
}

static __always_inline u32 identity(const struct flow *flow, int direction)
{
	struct prefix prefix = {.bits = 128};

	__builtin_memcpy(prefix.address, direction == OUT ? &flow->destination : &flow->source, 16);

	u32 *found = bpf_map_lookup_elem(&identities, &prefix);

	return found ? *found : WORLD;
}

static __always_inline u8 policy_entry(struct policy_key *key, u16 port, u8 protocol)
{
	u8 *found;

	key->protocol = protocol;
	for (int missing = 0; missing <= LONGEST; missing++) {
		if (!(shape.lengths >> (LONGEST - missing) & 1))
			continue;
		key->bits = LONGEST - missing;
		key->port = port >> missing << missing;
		found = bpf_map_lookup_elem(&policies, key);
		if (found)
			return *found;
	}
	key->protocol = 0;
	key->bits = 0;
	key->port = 0;
	found = bpf_map_lookup_elem(&policies, key);
	return found ? *found : 0;
}

static __noinline int judge(struct flow *flow, u32 peer, u32 direction)
{
	struct policy_key key = {.identity = peer, .direction = direction};

	if (!flow)
		return NOT_ALLOWED;

	u16 port = bpf_ntohs(flow->destination_port);
	u8 said = policy_entry(&key, port, flow->protocol);

	if (!said) {
		key.identity = ANY;
		said = policy_entry(&key, port, flow->protocol);
	}
	if (!said)
		return settings.default_deny[direction & 1] ? NOT_ALLOWED : NEW;
	return said == ALLOW ? NEW : DENIED;
}

static __always_inline bool opens(u8 flags)
{
	return (flags & (SYN | ACK)) == SYN;
}

static __always_inline bool over(u32 seen)
{
	return seen & RESET || (seen & (ENDED | ENDED_BACK)) == (ENDED | ENDED_BACK);
}

static __always_inline u32 state(u8 protocol, u32 seen)
{
	if (protocol == IPPROTO_UDP)
		return seen & ANSWERED ? REPLIED : ASKED;
	if (protocol != IPPROTO_TCP)
		return ECHO;
	if (over(seen))
		return CLOSING;
	return seen & ANSWERED ? OPEN : OPENING;
}

static __always_inline u64 timeout(u8 protocol, u32 seen)
{
	return settings.timeouts[state(protocol, seen) & 7] * SECOND;
}

static __always_inline struct connection *find(struct flow *flow, int direction, u64 now, bool *back)
{
	flow->opened = direction;

	struct connection *known = bpf_map_lookup_elem(&connections, flow);

	*back = false;
	if (known && known->expires > now)
		return known;

	struct flow turned = {
		.source = flow->destination,
		.destination = flow->source,
		.source_port = flow->destination_port,
		.destination_port = flow->source_port,
		.protocol = flow->protocol,
		.opened = 1 - direction,
	};

	*back = true;
	known = bpf_map_lookup_elem(&connections, &turned);
	return known && known->expires > now ? known : NULL;
}

static __always_inline void touch(struct connection *known, u8 protocol, u8 flags, bool back, u64 now)
{
	u32 news = back ? ANSWERED : 0;

	if (flags & FIN)
		news |= back ? ENDED_BACK : ENDED;
	if (flags & RST)
		news |= RESET;
	if (news & ~known->seen)
		__sync_fetch_and_or(&known->seen, news);
	known->expires = now + timeout(protocol, known->seen);
}

static __always_inline int start(struct flow *flow, u16 service, u16 backend, u64 now)
{
	struct connection made = {
		.expires = now + timeout(flow->protocol, 0),
		.revision = shape.revision,
		.service = service,
		.backend = backend,
	};

	return bpf_map_update_elem(&connections, flow, &made, BPF_ANY) ? NO_ROOM : NEW;
}

static __always_inline u32 mix(u32 hashed, u32 word)
{
	hashed = (hashed ^ word) * 0x9E3779B1;
	return hashed ^ hashed >> 15;
}

static __always_inline u32 spread(const struct flow *flow)
{
	u32 hashed = flow->protocol;

	for (int i = 0; i < 4; i++)
		hashed = mix(hashed, flow->source.words[i]);
	for (int i = 0; i < 4; i++)
		hashed = mix(hashed, flow->destination.words[i]);
	return mix(hashed, (u32)bpf_ntohs(flow->source_port) << 16 | bpf_ntohs(flow->destination_port));
}

static __always_inline struct place *backend(u32 number)
{
	struct place *found = bpf_map_lookup_elem(&backends, &number);

	return found && found->port ? found : NULL;
}

static __always_inline u16 remembered(struct flow *flow, u8 flags, u64 now)
{
	struct connection *known = bpf_map_lookup_elem(&connections, flow);

	if (!known || known->expires <= now || opens(flags))
		return 0;
	known->expires = now + timeout(flow->protocol, ANSWERED);
	return known->backend;
}

static __always_inline int choose(struct packet *packet, u64 now)
{
	struct flow *flow = &packet->flow;
	struct service_key key = {
		.address = flow->destination,
		.port = flow->destination_port,
		.protocol = flow->protocol,
	};
	u32 *number = bpf_map_lookup_elem(&services, &key);

	if (!number || *number >= SERVICES)
		return NEW;
	packet->service = *number + 1;
	flow->opened = SERVICE;

	u16 known = remembered(flow, packet->flags, now);
	struct place *chosen = backend(known);

	if (!chosen) {
		u32 index = *number * TABLE + spread(flow) % TABLE;
		u16 *place = bpf_map_lookup_elem(&maglev, &index);

		known = place ? *place : 0;
		chosen = backend(known);
		if (!chosen)
			return NO_BACKEND;
		if (start(flow, packet->service, known, now) != NEW)
			return NO_ROOM;
	}
	flow->destination = chosen->address;
	flow->destination_port = chosen->port;
	return NEW;
}

static __always_inline bool mend(struct __sk_buff *ctx, u32 at, struct place *old, struct place *new)
{
	s64 change = bpf_csum_diff((__be32 *)&old->address, 16, (__be32 *)&new->address, 16, 0);
	bool tcp = old->protocol == IPPROTO_TCP;
	u32 checksum = at + (tcp ? 16 : 6);
	u32 flags = tcp ? 0 : BPF_F_MARK_MANGLED_0;
	long failed = bpf_l4_csum_replace(ctx, checksum, 0, change, flags | BPF_F_PSEUDO_HDR);

	failed |= bpf_l4_csum_replace(ctx, checksum, old->port, new->port, flags | 2);
	if (old->address.words[2] == MAPPED)
		failed |= bpf_l3_csum_replace(ctx, 24, 0, change, 0);
	return !failed;
}

static __always_inline bool put(struct __sk_buff *ctx, u32 port_at, u32 ipv4_at, u32 ipv6_at, struct place *new)
{
	__be16 port = new->port;
	long failed = bpf_skb_store_bytes(ctx, port_at, &port, 2, 0);

	if (new->address.words[2] == MAPPED)
		failed |= bpf_skb_store_bytes(ctx, ipv4_at, &new->address.words[3], 4, 0);
	else
		failed |= bpf_skb_store_bytes(ctx, ipv6_at, &new->address, 16, 0);
	return !failed;
}

static __always_inline bool from_service(struct __sk_buff *ctx, struct packet *packet, u32 number)
{
	u32 index = number - 1;
	struct place *front = bpf_map_lookup_elem(&frontends, &index);
	struct place was = {packet->flow.source, packet->flow.source_port, packet->flow.protocol};

	return front && mend(ctx, packet->at, &was, front) && put(ctx, packet->at, 26, 22, front);
}

static __always_inline bool to_backend(struct __sk_buff *ctx, struct packet *packet, struct place *was)
{
	struct place becomes = {packet->flow.destination, packet->flow.destination_port};

	return mend(ctx, packet->at, was, &becomes) && put(ctx, packet->at + 2, 30, 38, &becomes);
}

static __always_inline int pass(struct packet *packet, int direction, u64 now, u16 *replied)
{
	struct flow *flow = &packet->flow;
	bool back;
	struct connection *known = find(flow, direction, now, &back);

	if (known && opens(packet->flags) && (back || over(known->seen)))
		known = NULL;
	if (known && (back || known->revision == shape.revision)) {
		touch(known, flow->protocol, packet->flags, back, now);
		*replied = known->service;
		return back ? REPLY : ESTABLISHED;
	}
	packet->peer = identity(flow, direction);

	int verdict = judge(flow, packet->peer, direction);

	if (verdict != NEW) {
		bpf_map_delete_elem(&connections, flow);
		return verdict;
	}
	if (!known)
		return start(flow, packet->service, 0, now);
	known->revision = shape.revision;
	touch(known, flow->protocol, packet->flags, back, now);
	return ESTABLISHED;
}

static __always_inline int connected(struct __sk_buff *ctx, struct packet *packet, int direction)
{
	struct flow *flow = &packet->flow;
	u64 now = bpf_ktime_get_coarse_ns();
	struct place was = {flow->destination, flow->destination_port, flow->protocol};
	u16 replied = 0;
	int verdict;

	if (direction == OUT) {
		verdict = choose(packet, now);
		if (verdict != NEW)
			return verdict;
	}
	verdict = pass(packet, direction, now, &replied);
	if (verdict >= SHORT)
		return verdict;
	if (direction == OUT && packet->service && !to_backend(ctx, packet, &was))
		return NOT_REWRITTEN;
	if (direction == IN && replied && !from_service(ctx, packet, replied))
		return NOT_REWRITTEN;
	return verdict;
}

static __always_inline bool put_quoted(struct __sk_buff *ctx, u32 at, u32 inside, struct place *old, struct place *new)
{
	s64 change = bpf_csum_diff((__be32 *)&old->address, 16, (__be32 *)&new->address, 16, 0);
	u32 start = at + sizeof(struct echo);
	long failed = bpf_l4_csum_replace(ctx, at + 2, old->port, new->port, 2);

	if (old->address.words[2] == MAPPED)
		failed |= bpf_l3_csum_replace(ctx, start + 10, 0, change, 0);
	else
		failed |= bpf_l4_csum_replace(ctx, at + 2, 0, change, 0);
	return put(ctx, inside + 2, start + 16, start + 24, new) && !failed;
}

static __always_inline int about_service(struct __sk_buff *ctx, struct flow *quoted, u32 at, u32 inside, u32 number)
{
	u32 index = number - 1;
	struct place *front = bpf_map_lookup_elem(&frontends, &index);
	struct place was = {quoted->destination, quoted->destination_port, quoted->protocol};

	return front && put_quoted(ctx, at, inside, &was, front) ? RELATED : NOT_REWRITTEN;
}

static __always_inline int related(struct __sk_buff *ctx, struct packet *packet, int direction)
{
	struct flow quoted = {};
	u32 inside = packet->at + sizeof(struct echo);
	bool back;

	if (parse_quoted(ctx, &quoted, &inside, packet->flow.protocol == IPPROTO_ICMP) != NEW)
		return UNRELATED;

	struct connection *known = find(&quoted, 1 - direction, bpf_ktime_get_coarse_ns(), &back);

	if (!known)
		return UNRELATED;

	u16 number = known->service;

	if (direction == IN && !back && number)
		return about_service(ctx, &quoted, packet->at, inside, number);
	return RELATED;
}

static __always_inline int finish(struct __sk_buff *ctx, struct packet *packet, int direction, int verdict)
{
	u32 index = direction * VERDICTS + verdict;
	struct count *count = bpf_map_lookup_elem(&counts, &index);

	if (count) {
		count->packets += 1;
		count->bytes += ctx->len;
	}
	if (verdict < SHORT)
		return TC_ACT_UNSPEC;

	struct drop *drop = reserve(drops, struct drop, DROP_KIND);

	if (drop) {
		drop->source = packet->flow.source;
		drop->destination = packet->flow.destination;
		drop->source_port = packet->flow.source_port;
		drop->destination_port = packet->flow.destination_port;
		drop->protocol = packet->flow.protocol;
		drop->direction = direction;
		drop->reason = verdict;
		drop->unused = 0;
		drop->identity = packet->peer;
		drop->bytes = ctx->len;
		submit(drops, &drop->head);
	}
	return TC_ACT_SHOT;
}

static __always_inline int handle(struct __sk_buff *ctx, int direction)
{
	struct packet packet = {};

	if (ctx->data_end - ctx->data < HEADERS && ctx->data_end - ctx->data < ctx->len)
		bpf_skb_pull_data(ctx, MIN(ctx->len, HEADERS));

	int verdict = parse_network(ctx, &packet);

	if (verdict == NEW) {
		verdict = parse_transport(ctx, &packet);
		if (verdict == NEW)
			verdict = connected(ctx, &packet, direction);
		else if (verdict == RELATED)
			verdict = related(ctx, &packet, direction);
	}
	return finish(ctx, &packet, direction, verdict);
}

SEC("tc")
int from_pod(struct __sk_buff *ctx)
{
	return handle(ctx, OUT);
}

SEC("tc")
int to_pod(struct __sk_buff *ctx)
{
	return handle(ctx, IN);
}
