/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer target: the input decides what the card does to its answers, completions and events
 * and what the driver is made to do meanwhile. Nothing may crash, hang or leak.
 */
#include <stdlib.h>

#include "../core/ena.h"
#include "mini_device.h"

#define ARENA (4 << 20)
#define ADDRESS 0x10000000u
#define MAX_STEPS 200
#define PAIRS 2
#define DEPTH 128

static void send(struct host *host, uint8_t choice)
{
	static const uint8_t frame[9000];
	static const uint32_t offload[] = { ENA_TX_CSUM_IP4, ENA_TX_CSUM_IP6, ENA_TX_TSO_IP4,
					    ENA_TX_TSO_IP6 };
	const struct host_packet packet = {
		.length = 60 + 35u * choice,
		.segment_bytes = 64u << (choice & 7),
		.offloads = choice & 16 ? offload[choice & 3] : 0,
		.udp = choice & 8,
		.mss = 1000,
		.l3_offset = 14,
		.l3_bytes = 20,
		.l4_bytes = 20,
	};

	host_send(host, choice & 1, frame, &packet);
}

static void receive(struct host *host, uint8_t choice)
{
	static uint8_t frame[1 << 17];
	struct host_received received;
	int budget = 64;

	while (budget-- && host_receive(host, choice & 1, frame, sizeof(frame), &received) > 0)
		;
	host_fill(host, choice & 1);
}

static void step(struct mini_device *device, struct host *host)
{
	uint8_t what = mini_device_noise(device), choice = mini_device_noise(device);
	uint16_t table[256];

	switch (what % 12) {
	case 0:
	case 1:
		send(host, choice);
		break;
	case 2:
		host_ring(host, choice & 1);
		host_advance(host, 10);
		break;
	case 3:
		host_complete(host, choice & 1);
		break;
	case 4:
	case 5:
		mini_device_receive(device, choice & 1, 14 + 40u * choice);
		break;
	case 6:
		receive(host, choice);
		break;
	case 7:
		mini_device_event(device, choice & 15, choice >> 4, choice);
		break;
	case 8:
		host_advance(host, 1000000);
		host_watchdog(host);
		break;
	case 9:
		for (int i = 0; i < 256; i++)
			table[i] = (uint16_t)(choice + i);
		host_set_table(host, table);
		host_set_mtu(host, 40u * choice);
		break;
	case 10:
		host_down(host);
		host_up(host, 1 + (choice & 1), DEPTH << (choice >> 7), DEPTH, 2048);
		break;
	default:
		if (device->reset_wanted || choice == 0) {
			device->reset_wanted = false;
			host_recover(host);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mini_device device;
	static void *arena;
	struct host_options options = { .llq_bytes = MINI_LLQ_BYTES };
	struct host_card card;
	struct host *host;
	uint8_t setup;

	if (!arena)
		arena = aligned_alloc(4096, ARENA);
	mini_device_init(&device, &card, arena, ARENA, ADDRESS);
	device.noise = data;
	device.noise_left = size;
	setup = mini_device_noise(&device);
	options.vectors = setup & 1 ? 3 : 0;
	options.no_llq = setup >> 1 & 1;
	options.plain_reads = setup >> 2 & 1;
	options.llq_entry = setup & 8 ? 256 : 128;
	host = host_new(&card, arena, ARENA, ADDRESS);
	device.host = host;
	if (!host_attach(host, &options) &&
	    !host_up(host, 1 + (setup >> 4 & 1), DEPTH, DEPTH, 2048))
		for (int steps = 0; steps < MAX_STEPS && device.noise_left; steps++)
			step(&device, host);
	device.noise_left = 0;
	host_detach(host);
	if (host_delete(host))
		abort(); /* a leak */
	return 0;
}
