/* SPDX-License-Identifier: BSD-3-Clause */
/* A binding for tests: it owns packets as a kernel would, and does what a test tells it to. */
#include <stdlib.h>
#include <string.h>

#include "os.h"

/* What belongs to an id of a queue. */
struct buffer {
	uint8_t *memory;
	uint64_t address;
	uint32_t size;
};

struct queue {
	struct buffer tx[ENA_MAX_DEPTH], rx[ENA_MAX_DEPTH];
};

struct host {
	struct ena_os os;
	struct ena_device device;
	struct queue *queue; /* one per pair */
	uint16_t pairs, tx_depth, rx_depth;
	uint32_t buffer_bytes;
	bool up, attached;
};

struct host *host_new(const struct host_card *card, void *arena, size_t size, uint64_t address)
{
	struct host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	host->os.card = *card;
	host->queue = calloc(ENA_MAX_PAIRS, sizeof(*host->queue));
	if (host->queue && os_new(&host->os, arena, size, address))
		return host;
	free(host->queue);
	free(host);
	return NULL;
}

size_t host_delete(struct host *host)
{
	size_t left = host->os.allocated;

	os_delete(&host->os);
	free(host->queue);
	free(host);
	return left;
}

static bool has_pair(const struct host *host, uint16_t pair)
{
	return host->up && pair < host->device.pairs;
}

static bool get_buffer(struct host *host, struct buffer *buffer, uint32_t size)
{
	buffer->memory = os_pages(&host->os, size, &buffer->address);
	buffer->size = size;
	return buffer->memory;
}

static void drop_buffer(struct host *host, struct buffer *buffer)
{
	if (buffer->memory)
		os_free_pages(&host->os, buffer->memory, buffer->size);
	buffer->memory = NULL;
}

/* The device no longer touches any of it. */
static void drop_buffers(struct host *host)
{
	for (uint16_t pair = 0; pair < host->pairs; pair++)
		for (uint16_t id = 0; id < ENA_MAX_DEPTH; id++) {
			drop_buffer(host, &host->queue[pair].tx[id]);
			drop_buffer(host, &host->queue[pair].rx[id]);
		}
}

int host_attach(struct host *host, const struct host_options *options)
{
	struct ena_config config = {
		.os = &host->os,
		.register_bytes = 16384,
		.llq_bytes = options->llq_bytes,
		.plain_reads = options->plain_reads,
		.pci_address = 1 << 3,
		.vectors = (uint16_t)options->vectors,
		.cpus = 2,
		.os_type = 1,
		.os_name = "a process",
		.os_version = "1.0",
		.llq_entry = (uint16_t)options->llq_entry,
		.no_llq = options->no_llq,
	};
	int error;

	for (unsigned int i = 0; i < sizeof(config.hash_key); i++)
		config.hash_key[i] = (uint8_t)(37 * i + 11);
	memset(&host->device, 0, sizeof(host->device));
	error = ena_attach(&host->device, &config);
	host->attached = !error;
	return error;
}

void host_detach(struct host *host)
{
	host_down(host);
	if (host->attached)
		ena_detach(&host->device);
	host->attached = false;
}

static int bring_up(struct host *host)
{
	int error = ena_up(&host->device, host->pairs, host->tx_depth, host->rx_depth);

	host->up = !error;
	if (error)
		return error;
	for (uint16_t pair = 0; pair < host->pairs; pair++) {
		host_fill(host, pair);
		if (host->device.config.vectors)
			ena_unmask(&host->device, pair, 0, 0);
	}
	return 0;
}

int host_up(struct host *host, uint16_t pairs, uint16_t tx_depth, uint16_t rx_depth,
	    uint32_t buffer_bytes)
{
	host->pairs = pairs <= ENA_MAX_PAIRS ? pairs : ENA_MAX_PAIRS;
	host->tx_depth = tx_depth;
	host->rx_depth = rx_depth;
	host->buffer_bytes = buffer_bytes;
	return bring_up(host);
}

void host_down(struct host *host)
{
	if (!host->up)
		return;
	ena_down(&host->device);
	drop_buffers(host);
	host->up = false;
}

int host_recover(struct host *host)
{
	bool was_up = host->up;
	int error;

	ena_halt(&host->device);
	if (was_up)
		drop_buffers(host);
	host->up = false;
	error = ena_recover(&host->device);
	return error || !was_up ? error : bring_up(host);
}

int host_set_mtu(struct host *host, uint32_t mtu)
{
	return ena_set_mtu(&host->device, mtu);
}

int host_set_table(struct host *host, const uint16_t *pairs)
{
	return ena_set_table(&host->device, pairs);
}

int host_allowances(struct host *host, uint64_t *five)
{
	struct ena_allowances allowances;
	int error = ena_get_allowances(&host->device, &allowances);

	if (!error)
		memcpy(five, &allowances, sizeof(allowances));
	return error;
}

void host_interrupt(struct host *host)
{
	ena_interrupt(&host->device);
}

void host_unmask(struct host *host, uint16_t pair, uint16_t rx_delay, uint16_t tx_delay)
{
	ena_unmask(&host->device, pair, rx_delay, tx_delay);
}

void host_advance(struct host *host, uint32_t microseconds)
{
	ena_os_sleep(&host->os, microseconds);
}

void host_watchdog(struct host *host)
{
	ena_watchdog(&host->device);
}

int host_send(struct host *host, uint16_t pair, const uint8_t *frame,
	      const struct host_packet *packet)
{
	struct ena_tx *tx = &host->device.pair[pair].tx;
	uint32_t push = host->device.limits.push_bytes;
	struct ena_segment segment[ENA_MAX_SEGMENTS];
	struct ena_tx_packet send = {
		.header = frame,
		.segments = segment,
		.offloads = packet->offloads,
		.udp = packet->udp,
		.mss = (uint16_t)packet->mss,
		.l3_offset = (uint8_t)packet->l3_offset,
		.l3_bytes = (uint8_t)packet->l3_bytes,
		.l4_bytes = (uint8_t)packet->l4_bytes,
	};
	struct buffer buffer = { 0 };
	uint32_t at;
	int error;

	if (!has_pair(host, pair) || tx->broken)
		return ENA_E_DOWN;
	if (!ena_tx_has_room(tx))
		return ENA_E_FULL;
	at = packet->length < push ? packet->length : push;
	send.header_bytes = (uint16_t)at;
	if (at < packet->length) {
		if (!get_buffer(host, &buffer, packet->length))
			return ENA_E_MEMORY;
		memcpy(buffer.memory, frame, packet->length);
	}
	while (at < packet->length && send.segment_count < ENA_MAX_SEGMENTS) {
		uint32_t left = packet->length - at;
		uint32_t bytes = left < packet->segment_bytes ? left : packet->segment_bytes;

		segment[send.segment_count++] =
			(struct ena_segment){ .address = buffer.address + at, .length = bytes };
		at += bytes;
	}
	host->queue[pair].tx[ena_tx_next_id(tx)] = buffer;
	error = at < packet->length ? ENA_E_ARGUMENT : 0;
	if (!error)
		error = ena_tx_send(tx, &send);
	if (error)
		drop_buffer(host, &host->queue[pair].tx[ena_tx_next_id(tx)]);
	return error;
}

void host_ring(struct host *host, uint16_t pair)
{
	if (has_pair(host, pair))
		ena_tx_ring(&host->device.pair[pair].tx);
}

int host_complete(struct host *host, uint16_t pair)
{
	struct ena_tx *tx = &host->device.pair[pair].tx;
	int count = 0, more = ENA_E_DOWN;
	uint16_t id;

	while (has_pair(host, pair) && count < ENA_MAX_DEPTH && (more = ena_tx_done(tx, &id)) > 0) {
		drop_buffer(host, &host->queue[pair].tx[id]);
		count++;
	}
	return more < 0 ? more : count;
}

int host_fill(struct host *host, uint16_t pair)
{
	struct ena_rx *rx = &host->device.pair[pair].rx;
	struct buffer buffer;
	int count = 0;

	while (has_pair(host, pair) && get_buffer(host, &buffer, host->buffer_bytes)) {
		uint16_t id = rx->broken ? 0 : ena_rx_next_id(rx);

		if (!ena_rx_post(rx, buffer.address, buffer.size)) {
			drop_buffer(host, &buffer);
			break;
		}
		host->queue[pair].rx[id] = buffer;
		count++;
	}
	if (has_pair(host, pair))
		ena_rx_ring(rx);
	return count;
}

int host_receive(struct host *host, uint16_t pair, uint8_t *frame, uint32_t room,
		 struct host_received *received)
{
	struct ena_rx_packet packet;
	uint32_t at = 0;
	int found = ENA_E_DOWN;

	if (has_pair(host, pair))
		found = ena_rx_next(&host->device.pair[pair].rx, &packet);
	if (found <= 0)
		return found;
	for (uint8_t i = 0; i < packet.count; i++) {
		const struct ena_rx_fragment *fragment = &packet.fragment[i];
		struct buffer *buffer = &host->queue[pair].rx[fragment->id];

		if (at + fragment->length <= room)
			memcpy(frame + at, buffer->memory + fragment->offset, fragment->length);
		at += fragment->length;
		drop_buffer(host, buffer);
	}
	*received = (struct host_received){
		.length = packet.length,
		.fragments = packet.count,
		.hash = packet.hash,
		.hash_is_l4 = packet.hash_is_l4,
		.checksum_good = packet.checksum_good,
	};
	return 1;
}

#define NAME(field) #field,
static const char *const device_names[] = { ENA_DEVICE_STATS(NAME) NULL };
static const char *const tx_names[] = { ENA_TX_STATS(NAME) NULL };
static const char *const rx_names[] = { ENA_RX_STATS(NAME) NULL };

static uint64_t find(const char *const *names, const void *counters, const char *name)
{
	for (size_t i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return ((const uint64_t *)counters)[i];
	return UINT64_MAX;
}

uint64_t host_value(struct host *host, const char *name)
{
	const struct ena_device *device = &host->device;
	const struct ena_limits *limits = &device->limits;
	const struct {
		const char *name;
		uint64_t value;
	} fields[] = {
		{ "max_mtu", limits->max_mtu }, { "max_pairs", limits->max_pairs },
		{ "offloads", limits->offloads },
		{ "table_size", limits->table_size }, { "push_bytes", limits->push_bytes },
		{ "llq", device->llq.on },
		{ "mtu", device->mtu }, { "pairs", device->pairs },
		{ "reset_reason", device->reset_reason }, { "allocated", host->os.allocated },
	};
	const struct ena_pair *pair;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!strcmp(fields[i].name, name))
			return fields[i].value;
	if (!strncmp(name, "device.", 7))
		return find(device_names, &device->stats, name + 7);
	if (!device->pair || strlen(name) < 5 || name[3] != '.')
		return UINT64_MAX;
	pair = &device->pair[(uint8_t)(name[2] - '0') % device->pair_count];
	return name[0] == 't' ? find(tx_names, &pair->tx.stats, name + 4) :
				find(rx_names, &pair->rx.stats, name + 4);
}

void host_mac(struct host *host, uint8_t mac[6])
{
	memcpy(mac, host->device.limits.mac, 6);
}
