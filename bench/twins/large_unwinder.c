/* A walk up the stack of what is sampled, by tables of rules. Registers look the same on every kernel. */
#include "count.h"

#define DEPTH 128
#define ROWS (1 << 14)
#define RULES (1 << 14)
#define PAGE_BITS 16
#define FILE_SHIFT 48
#define LOW ((1UL << FILE_SHIFT) - 1)
#define ADDRESS_BITS 96
#define STEPS 14
#define ENDS 16
#define MIX 0x9E3779B97F4A7C15ULL

enum kind { UNKNOWN, OUTERMOST, OFFSET, DEREFERENCED, PLT, SIGNAL };
enum base { RSP, RBP };
enum saved_by { NOT, BY_CFA, BY_RBP, BY_RSP };
enum end { COMPLETE, DEEP, UNMAPPED, NO_TABLE, NO_RULE, UNREADABLE, BACKWARDS, NO_REGISTERS, LOST };

struct rule {
	u8 kind;
	u8 base;
	u8 saved;
	u8 unused;
	s32 offset;
	s32 more;
	s32 rbp;
};

struct rules {
	struct rule each[RULES];
};

struct row {
	u16 low;
	u16 rule;
};

struct row_slab {
	struct row rows[ROWS];
};

struct page_key {
	u32 file;
	u32 page;
};

struct page_rows {
	u32 slab;
	u16 first;
	u16 count;
};

struct place {
	u32 bits;
	u32 pid;
	u64 address; /* in network order */
};

struct mapping {
	u64 start;
	u64 end;
	u64 bias;
	u32 file;
	u32 unused;
};

struct interrupted {
	u64 rbp;
	u64 others[4];
	u64 rsp;
	u64 rip;
};

struct stack_key {
	u32 pid;
	u32 unused;
	u64 hash;
};

struct stack {
	u64 count;
	u32 depth;
	u32 end;
	u64 frames[DEPTH];
};

/* As large as what the other side keeps of a walk: both have the same map. */
struct walk_room {
	u64 registers[10];
	struct stack stack;
};

struct limits {
	u32 frames;
};

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct row_slab);
} slab SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1 << 12);
	__type(key, u32);
	__array(values, struct inner);
} slabs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u8);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1 << 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct place);
	__type(value, struct mapping);
} mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct page_key);
	__type(value, struct page_rows);
} pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct walk_room);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct stack_key);
	__type(value, struct stack);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ENDS);
	__type(key, u32);
	__type(value, u64);
} ends SEC(".maps");

const volatile struct limits limits SEC(".rodata.limits") = {DEPTH};
struct rules rules SEC(".data.rules");

struct registers {
	u64 pc;
	u64 sp;
	u64 bp;
};

/* A walk as far as it came; ``back`` is 1 where the pc is a return address. */
struct walk {
	struct stack *stack;
	struct registers now;
	struct mapping here;
	u64 back;
	u64 mixed;
	u32 pid;
	u32 depth;
	enum end end;
};

static __always_inline bool read(u64 *word, u64 address)
{
	return !bpf_probe_read_user(word, sizeof(*word), (void *)address);
}

/* The rule of the last of ``count`` rows from ``first`` on that is not above ``low``. */
static __always_inline u32 search(const struct row *rows, u32 first, u32 count, u32 low)
{
	for (int step = 0; step < STEPS && count > 1; step++) {
		u32 half = count >> 1;

		if (rows[(first + half) & (ROWS - 1)].low <= low)
			first += half;
		count -= half;
	}
	return rows[first & (ROWS - 1)].rule;
}

/* The rule for an address of a file; NULL where there is no table. */
static __always_inline const struct rule *rule_of(u32 file, u64 address)
{
	struct page_key key = {file, address >> PAGE_BITS};
	struct page_rows *page = bpf_map_lookup_elem(&pages, &key);
	u32 zero = 0;

	if (!page)
		return NULL;

	void *held = bpf_map_lookup_elem(&slabs, &page->slab);

	if (!held)
		return NULL;

	struct row_slab *table = bpf_map_lookup_elem(held, &zero);

	if (!table)
		return NULL;
	return &rules.each[search(table->rows, page->first, page->count, (u16)address) & (RULES - 1)];
}

/* Put the caller's registers in the place of ``now``; DEEP where there is a caller. */
static __always_inline enum end caller(const struct rule *rule, struct registers *now)
{
	if (rule->kind <= OUTERMOST)
		return rule->kind == OUTERMOST ? COMPLETE : NO_RULE;

	u64 start = (rule->base == RBP ? now->bp : now->sp) + (s64)rule->offset;

	if (rule->kind == SIGNAL) {
		struct interrupted saved;

		if (bpf_probe_read_user(&saved, sizeof(saved), (void *)start))
			return UNREADABLE;
		now->pc = saved.rip;
		now->sp = saved.rsp;
		now->bp = saved.rbp;
		return DEEP;
	}
	if (rule->kind == DEREFERENCED) {
		if (!read(&start, start))
			return UNREADABLE;
		start += (s64)rule->more;
	} else if (rule->kind == PLT && (now->pc & 15) >= (u64)rule->more) {
		start += 8;
	}
	if (start <= now->sp)
		return BACKWARDS;
	if (rule->saved) {
		u64 from = rule->saved == BY_CFA ? start : rule->saved == BY_RBP ? now->bp : now->sp;

		if (!read(&now->bp, from + (s64)rule->rbp))
			return UNREADABLE;
	}
	now->sp = start;
	return read(&now->pc, start - 8) ? DEEP : UNREADABLE;
}

/* A frame; 1 where the walk ends. */
static long step(u32 round, struct walk *walk)
{
	u64 at = walk->now.pc - walk->back;

	if (at < walk->here.start || at >= walk->here.end) {
		struct place place = {ADDRESS_BITS, walk->pid, bpf_cpu_to_be64(at)};
		struct mapping *mapping = bpf_map_lookup_elem(&mappings, &place);

		walk->here = mapping ? *mapping : (struct mapping){};
	}
	at -= walk->here.bias;

	u64 frame = (u64)walk->here.file << FILE_SHIFT | (at & LOW);

	walk->stack->frames[walk->depth++ & (DEPTH - 1)] = frame;
	walk->mixed = (walk->mixed ^ frame) * MIX;
	walk->mixed ^= walk->mixed >> 32;

	if (!walk->here.file) {
		walk->end = UNMAPPED;
		return 1;
	}

	const struct rule *rule = rule_of(walk->here.file, at);

	if (!rule) {
		walk->end = NO_TABLE;
		return 1;
	}
	walk->end = caller(rule, &walk->now);
	walk->back = rule->kind != SIGNAL;
	return walk->end != DEEP;
}

/* Count a stack; the first time, it is kept. */
static __always_inline void count(struct stack *stack, u32 pid, u64 mixed)
{
	struct stack_key key = {pid, 0, mixed};
	struct stack *known = bpf_map_lookup_elem(&stacks, &key);

	if (!known) {
		stack->count = 1;
		if (!bpf_map_update_elem(&stacks, &key, stack, BPF_NOEXIST))
			return;
		known = bpf_map_lookup_elem(&stacks, &key);
	}
	if (known)
		__sync_fetch_and_add(&known->count, 1);
	else
		increment_own(&ends, LOST);
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32, zero = 0;
	struct registers now = {ctx->regs.ip, ctx->regs.sp, ctx->regs.bp};

	if (!bpf_map_lookup_elem(&watched, &pid))
		return 0;

	struct walk_room *room = bpf_map_lookup_elem(&walks, &zero);

	if (!room)
		return 0;

	struct stack *stack = &room->stack;

	if (now.pc >> 63) {
		struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

		now = (struct registers){regs->ip, regs->sp, regs->bp};
	}
	if (!now.sp) {
		increment_own(&ends, NO_REGISTERS);
		return 0;
	}

	struct walk walk = {.stack = stack, .now = now, .pid = pid, .end = DEEP};

	bpf_loop(limits.frames, step, &walk, 0);
	stack->depth = walk.depth;
	stack->end = walk.end;
	increment_own(&ends, walk.end);
	count(stack, pid, walk.mixed);
	return 0;
}
