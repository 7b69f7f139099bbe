/* Counting in maps, as Python's map.increment() does, and by powers of two. */
#ifndef COUNT_H
#define COUNT_H

#include "skep.h"

/* Add to an entry; where there is none, make one, unless another CPU was faster, whose entry then counts. */
static __always_inline void increment(void *map, u32 key, u64 by)
{
	u64 *count = bpf_map_lookup_elem(map, &key);

	if (!count) {
		u64 first = by;

		if (bpf_map_update_elem(map, &key, &first, BPF_NOEXIST))
			count = bpf_map_lookup_elem(map, &key);
	}
	if (count)
		__sync_fetch_and_add(count, by);
}

/* Add to an entry of an array, which is always there. */
static __always_inline void increment_element(void *array, u32 key)
{
	u64 *count = bpf_map_lookup_elem(array, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* The same, where each CPU has its own. */
static __always_inline void increment_own(void *array, u32 key)
{
	u64 *count = bpf_map_lookup_elem(array, &key);

	if (count)
		*count += 1;
}

/* The power of two that a number reaches, as skep.log2(). */
static inline u32 log2(u64 value)
{
	value |= 1;
	value |= value >> 1;
	value |= value >> 2;
	value |= value >> 4;
	value |= value >> 8;
	value |= value >> 16;
	value |= value >> 32;
	value -= (value >> 1) & 0x5555555555555555;
	value = (value & 0x3333333333333333) + ((value >> 2) & 0x3333333333333333);
	value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (value * 0x0101010101010101 >> 56) - 1;
}

#endif
