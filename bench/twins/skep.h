/* What the twins share: the header of a record, the counters of a ring, and its use. Types as in vmlinux.h. */
#ifndef SKEP_H
#define SKEP_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define NULL ((void *)0)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

struct skep_record {
	u64 time;
	u64 seq;
	u16 cpu;
	u16 kind;
	u32 flags;
};

struct skep_ring_state {
	u64 seq;
	u64 pad0[7];
	u64 lost;
	u64 pad1[7];
	u32 doorbell;
	u32 pad2[15];
};

#define RING(name, bytes)                                                                          \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_RINGBUF);                                                \
		__uint(max_entries, bytes);                                                        \
	} name SEC(".maps");                                                                       \
	struct skep_ring_state name##_state SEC(".data." #name)

#define reserve(ring, type, kind) ((type *)reserve_record(&ring, &ring##_state, sizeof(type), kind))
#define submit(ring, record) submit_record(record, wakeup(&ring##_state))
#define submit_quietly(record) submit_record(record, BPF_RB_NO_WAKEUP)

/* A record with its header stamped, or NULL where the ring is full, which is counted. */
static __always_inline void *reserve_record(void *ring, struct skep_ring_state *state, u64 size, u16 kind)
{
	u64 seq = __sync_fetch_and_add(&state->seq, 1);
	struct skep_record *record = bpf_ringbuf_reserve(ring, size, 0);

	if (!record) {
		__sync_fetch_and_add(&state->lost, 1);
		return NULL;
	}
	record->time = bpf_ktime_get_boot_ns();
	record->seq = seq;
	record->cpu = bpf_get_smp_processor_id();
	record->kind = kind;
	record->flags = 0;
	return record;
}

/* The flags of a submission: wake the reader where it sleeps, once. */
static __always_inline u64 wakeup(struct skep_ring_state *state)
{
	if (!state->doorbell)
		return BPF_RB_NO_WAKEUP;
	state->doorbell = 0;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void submit_record(void *record, u64 flags)
{
	bpf_ringbuf_submit(record, flags);
}

/* Copy memory into a ring that nobody is woken by; stamps nothing. */
static __always_inline long output_quietly(void *ring, struct skep_ring_state *state, void *data, u64 size)
{
	__sync_fetch_and_add(&state->seq, 1);
	long failed = bpf_ringbuf_output(ring, data, size, BPF_RB_NO_WAKEUP);

	if (failed < 0)
		__sync_fetch_and_add(&state->lost, 1);
	return failed;
}

char LICENSE[] SEC("license") = "GPL";

#endif
