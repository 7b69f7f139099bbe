/* Counting in maps, as Python's map.increment() does. */
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

#endif
