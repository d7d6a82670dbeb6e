/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets through the core and back, for callgrind: bench tx-llq|tx-host|rx COUNT. The card works
 * apart from the driver, so that only what is the driver's is counted as its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mini_device.h"

#define ARENA (32 << 20)
#define ADDRESS 0x10000000u
#define BATCH 16
#define BYTES 1514

static int send_packets(struct host *host, long count)
{
	static const uint8_t frame[BYTES];
	const struct host_packet packet = { .length = BYTES, .segment_bytes = BYTES };

	for (long sent = 0; sent < count; sent += BATCH) {
		for (int i = 0; i < BATCH; i++)
			if (host_send(host, 0, frame, &packet))
				return 1;
		host_ring(host, 0);
		host_advance(host, 1);
		if (host_complete(host, 0) != BATCH)
			return 1;
	}
	return 0;
}

static int receive_packets(struct host *host, struct mini_device *device, long count)
{
	static uint8_t frame[BYTES];
	struct host_received received;

	for (long done = 0; done < count; done += BATCH) {
		for (int i = 0; i < BATCH; i++)
			mini_device_receive(device, 0, BYTES);
		for (int i = 0; i < BATCH; i++)
			if (host_receive(host, 0, frame, sizeof(frame), &received) != 1)
				return 1;
		host_fill(host, 0);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct mini_device device;
	struct host_options options = { .vectors = 3, .llq_bytes = MINI_LLQ_BYTES };
	void *arena = aligned_alloc(4096, ARENA);
	struct host_card card;
	int failed;

	if (argc != 3 || !arena)
		return 2;
	options.no_llq = strcmp(argv[1], "tx-llq") != 0;
	mini_device_init(&device, &card, arena, ARENA, ADDRESS);
	device.host = host_new(&card, arena, ARENA, ADDRESS);
	if (!device.host || host_attach(device.host, &options) ||
	    host_up(device.host, 1, 256, 256, 2048))
		return 2;
	failed = strcmp(argv[1], "rx") ? send_packets(device.host, atol(argv[2])) :
					 receive_packets(device.host, &device, atol(argv[2]));
	host_detach(device.host);
	failed |= host_delete(device.host) != 0;
	free(arena);
	return failed;
}
