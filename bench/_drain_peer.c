/* The peer of bench/drain.py: libbpf, with a callback that groups as the Python side does.
 *
 * _drain_peer RING_FD RECORDS INTERVAL_US: drains until RECORDS came or nothing came for a second, then prints the CPU ns of
 * this process (user and system), the records, and the sum of squares of the groups (so that both sides can be compared).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ring_buffer;
struct ring_buffer *ring_buffer__new(int fd, int (*callback)(void *, void *, size_t), void *context, const void *options);
int ring_buffer__consume(struct ring_buffer *ring);

enum { PIDS = 1024, KINDS = 4, KIND_OFFSET = 18, PID_OFFSET = 24 };

static uint64_t groups[PIDS * KINDS];

static int group(void *context, void *data, size_t size)
{
	uint16_t kind;
	uint32_t pid;

	(void)context;
	(void)size;
	memcpy(&kind, (char *)data + KIND_OFFSET, sizeof(kind));
	memcpy(&pid, (char *)data + PID_OFFSET, sizeof(pid));
	groups[(pid & (PIDS - 1)) * KINDS + (kind & (KINDS - 1))]++;
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
	struct ring_buffer *ring;
	uint64_t records, seen = 0, before, squares = 0;
	long interval, quiet = 0;

	if (argc != 4)
		return 2;
	records = strtoull(argv[2], NULL, 10);
	interval = atol(argv[3]);
	ring = ring_buffer__new(atoi(argv[1]), group, NULL, NULL);
	if (!ring)
		return 1;
	puts("ready");
	fflush(stdout);
	before = cpu_ns();
	while (seen < records && quiet < 1000000) {
		struct timespec pause = { 0, interval * 1000 };
		int count;

		nanosleep(&pause, NULL);
		count = ring_buffer__consume(ring);
		if (count < 0)
			return 1;
		quiet = count || !seen ? 0 : quiet + interval;
		seen += (uint64_t)count;
	}
	before = cpu_ns() - before;
	for (int i = 0; i < PIDS * KINDS; i++)
		squares += groups[i] * groups[i];
	printf("%llu %llu %llu\n", (unsigned long long)before, (unsigned long long)seen, (unsigned long long)squares);
	return 0;
}
