/* A path through an automaton, a step a byte, and a mask of the patterns that match it. */
#include "skep.h"

#define PATH 4096
#define CHUNK 16
#define CELLS (1 << 19)
#define MASKS (1 << 11)
#define SEEN (1U << 31)

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

struct mask {
	u64 words[4];
};

struct tables {
	u32 start;
	u8 columns[256];
	struct mask masks[MASKS];
	u32 cells[CELLS];
};

struct asked {
	u32 length;
	u8 bytes[PATH];
};

struct tables tables SEC(".data.tables");
struct asked asked SEC(".data.asked");
struct mask answer SEC(".data.answer");

/* The mask that a cell of a row names. */
static __always_inline struct mask *mask_of(u32 row, u32 cell)
{
	return &tables.masks[tables.cells[(row + cell) & (CELLS - 1)] & (MASKS - 1)];
}

static __always_inline void join(struct mask *mask, const struct mask *other)
{
	mask->words[0] |= other->words[0];
	mask->words[1] |= other->words[1];
	mask->words[2] |= other->words[2];
	mask->words[3] |= other->words[3];
}

/* The row behind the byte at ``at``; what is seen there goes into ``found``. */
static __always_inline u32 step(struct mask *found, u32 row, u32 at)
{
	row = tables.cells[(row + tables.columns[asked.bytes[at & (PATH - 1)]]) & (CELLS - 1)];
	if (row & SEEN)
		join(found, mask_of(row, 1));
	return row;
}

SEC("tc")
int match_path(struct __sk_buff *ctx)
{
	u32 length = MIN(asked.length, PATH);
	u32 row = tables.start;
	struct mask found = *mask_of(row, 1);
	struct bpf_iter_num chunks;
	int *chunk;

	bpf_iter_num_new(&chunks, 0, length / CHUNK);
	while ((chunk = bpf_iter_num_next(&chunks))) {
		u32 first = *chunk * CHUNK;

		for (u32 place = 0; place < CHUNK; place++)
			row = step(&found, row, first + place);
	}
	bpf_iter_num_destroy(&chunks);
	for (u32 place = 0; place < length % CHUNK; place++)
		row = step(&found, row, length - length % CHUNK + place);
	join(&found, mask_of(row, 0));
	answer = found;
	return 0;
}
