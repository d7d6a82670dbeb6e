/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "../core/ena_hw.h"
#include "mini_device.h"

#ifdef FUZZING
#include <sanitizer/asan_interface.h>
#endif

#define DOORBELL_TX 0x1000u /* + 4 * queue */
#define DOORBELL_RX 0x1400u
#define UNMASK 0x1800u
#define LLQ_ENTRY 128u
#define LLQ_DEPTH 512u
#define ENTRIES 32u /* of the admin rings; 16 of the event ring */

uint8_t mini_device_noise(struct mini_device *device)
{
	if (!device->noise_left)
		return 0;
	device->noise_left--;
	return *device->noise++;
}

/* Memory of the driver's, NULL where there is none. A card that lied about its queues may be told
 * to forget the wrong one and reach for released memory: real machines have an IOMMU for that. */
static uint8_t *at(struct mini_device *device, uint64_t address, size_t size)
{
	uint64_t offset = address - device->address;

	if (address < device->address || offset + size > device->size)
		return NULL;
#ifdef FUZZING
	if (__asan_region_is_poisoned(device->arena + offset, size))
		return NULL;
#endif
	return device->arena + offset;
}

/* Write to the driver's memory what `data` says, or what noise makes of it. */
static void say(struct mini_device *device, uint64_t address, const void *data, size_t size)
{
	uint8_t changed[64], noise = mini_device_noise(device);
	uint8_t *to = at(device, address, size);

	memcpy(changed, data, size);
	if (noise == 0xff)
		return;
	if (noise >= 0xe0)
		for (unsigned int n = (noise & 7) + 1; n; n--) {
			uint8_t where = mini_device_noise(device);

			changed[where % size] = mini_device_noise(device);
		}
	if (to)
		memcpy(to, changed, size);
}

static uint32_t register_value(const struct mini_device *device, uint32_t offset)
{
	switch (offset) {
	case ENA_HW_VERSION:
		return 0x000a;
	case ENA_HW_CONTROLLER_VERSION:
		return 0x01000001;
	case ENA_HW_CAPS:
		return 1 | 5 << 1 | 48 << 8;
	case ENA_HW_STATUS:
		return device->status;
	default:
		return 0;
	}
}

static uint32_t read_register(void *context, uint32_t offset)
{
	struct mini_device *device = context;
	uint8_t noise = mini_device_noise(device);

	if (noise == 0xff)
		return ENA_HW_READ_FAILED;
	return register_value(device, offset) ^ (noise >= 0xf0 ? 1u << (noise & 15) : 0);
}

static uint64_t stored(const struct mini_device *device, uint32_t low)
{
	return device->reg[low / 4] | (uint64_t)device->reg[low / 4 + 1] << 32;
}

static void interrupt(struct mini_device *device)
{
	if (!device->masked)
		host_interrupt(device->host);
}

static uint64_t full_address(const struct ena_hw_address *address)
{
	return address->low | (uint64_t)address->high << 32;
}

static void get_feature(uint8_t number, union ena_hw_feature *answer)
{
	static const union ena_hw_feature known[] = {
		[ENA_HW_F_ATTRIBUTES].attributes = {
			.features = 1u << ENA_HW_F_QUEUES_EXT | 1u << ENA_HW_F_HINTS |
				    1u << ENA_HW_F_LLQ | 1u << ENA_HW_F_HASH_FUNCTION |
				    1u << ENA_HW_F_OFFLOADS | 1u << ENA_HW_F_INDIRECTION |
				    1u << ENA_HW_F_MTU | 1u << ENA_HW_F_MODERATION |
				    1u << ENA_HW_F_AENQ | 1u << ENA_HW_F_HOST_INFO,
			.capabilities = ENA_HW_CAN_ENI_STATS | ENA_HW_CAN_LONG_REASONS,
			.mac = { 2, 0, 0, 0, 0, 1 },
			.max_mtu = 9216,
		},
		[ENA_HW_F_QUEUES_EXT].queues_ext = {
			.version = 1,
			.tx_sq_count = MINI_QUEUES, .tx_cq_count = MINI_QUEUES,
			.rx_sq_count = MINI_QUEUES, .rx_cq_count = MINI_QUEUES,
			.tx_sq_depth = LLQ_DEPTH, .tx_cq_depth = LLQ_DEPTH,
			.rx_sq_depth = LLQ_DEPTH, .rx_cq_depth = LLQ_DEPTH,
			.header_size = 128, .tx_descs = 19, .rx_descs = 19,
		},
		[ENA_HW_F_LLQ].llq = {
			.max_count = MINI_QUEUES, .max_depth = LLQ_DEPTH,
			.header_location = 1, .entry_size = 1 | 4, .descs_before_header = 2,
			.stride = 2, .recommended_entry_size = 1,
			.flags = ENA_HW_LLQ_BURST_LIMIT, .max_burst = 4096,
		},
		[ENA_HW_F_OFFLOADS].offloads = { 0xff, 0xf, 0xf },
		[ENA_HW_F_INDIRECTION].table = { .min_log = 1, .max_log = 7, .log = 7 },
		[ENA_HW_F_HASH_FUNCTION].hash = { .supported = ENA_HW_TOEPLITZ },
		[ENA_HW_F_AENQ].events = { 0xff, 0 },
		[ENA_HW_F_MODERATION].delay_unit = 1,
	};

	if (number < sizeof(known) / sizeof(known[0]))
		*answer = known[number];
}

static void create_cq(struct mini_device *device, const struct ena_hw_command *command,
		      struct ena_hw_reply *reply)
{
	uint16_t index = device->cq_count++ % (2 * MINI_QUEUES);

	device->cq_ring[index] = full_address(&command->create_cq.ring);
	device->cq_size[index] = command->create_cq.depth;
	reply->cq.index = index;
	reply->cq.depth = command->create_cq.depth;
	reply->cq.unmask = UNMASK + 4 * (command->create_cq.vector % MINI_QUEUES);
}

static void create_sq(struct mini_device *device, const struct ena_hw_command *command,
		      struct ena_hw_reply *reply)
{
	bool tx = command->create_sq.direction == ENA_HW_SQ_TX;
	struct mini_queue *queues = tx ? device->tx : device->rx;
	uint16_t cq = command->create_sq.cq_index % (2 * MINI_QUEUES), index = 0;

	while (index + 1 < MINI_QUEUES && queues[index].exists)
		index++;
	queues[index] = (struct mini_queue){
		.sq = full_address(&command->create_sq.ring), .cq = device->cq_ring[cq],
		.depth = command->create_sq.depth, .cq_depth = device->cq_size[cq],
		.exists = device->cq_size[cq],
	};
	reply->sq.index = index;
	reply->sq.doorbell = (tx ? DOORBELL_TX : DOORBELL_RX) + 4u * index;
	reply->sq.llq_ring = index * LLQ_ENTRY * LLQ_DEPTH * 2;
}

static void carry_out(struct mini_device *device, const struct ena_hw_command *command,
		      struct ena_hw_reply *reply)
{
	bool tx = command->destroy.direction == ENA_HW_SQ_TX;

	switch (command->opcode) {
	case ENA_HW_GET_FEATURE:
		get_feature(command->feature.number, &reply->feature);
		break;
	case ENA_HW_CREATE_CQ:
		create_cq(device, command, reply);
		break;
	case ENA_HW_CREATE_SQ:
		create_sq(device, command, reply);
		break;
	case ENA_HW_DESTROY_SQ:
		(tx ? device->tx : device->rx)[command->destroy.index % MINI_QUEUES].exists = false;
		break;
	default:
		break;
	}
}

static void run_admin(struct mini_device *device)
{
	while (device->aq_head != device->aq_tail) {
		uint16_t slot = device->aq_head % ENTRIES;
		struct ena_hw_reply reply = { .sq_head = ++device->aq_head };
		struct ena_hw_command command;
		uint8_t *from = at(device, stored(device, ENA_HW_AQ_BASE_LOW) + 64u * slot, 64);

		if (!from)
			return;
		memcpy(&command, from, sizeof(command));
		reply.id = command.id;
		reply.flags = command.flags & ENA_HW_PHASE;
		carry_out(device, &command, &reply);
		say(device, stored(device, ENA_HW_ACQ_BASE_LOW) + 64u * slot, &reply,
		    sizeof(reply));
		interrupt(device);
	}
}

void mini_device_event(struct mini_device *device, uint16_t group, uint16_t syndrome,
		       uint32_t data)
{
	struct ena_hw_event event = {
		.group = group,
		.syndrome = syndrome,
		.flags = !(device->events / 16 & 1),
	};
	uint64_t ring = stored(device, ENA_HW_AENQ_BASE_LOW);

	if ((uint16_t)(device->event_credit - device->events) == 0 || !ring)
		return;
	event.link = data;
	say(device, ring + 64u * (device->events++ % 16), &event, sizeof(event));
	interrupt(device);
}

/* The descriptors of the next slot: the ring's one, or those in an LLQ entry. */
static void complete_slot(struct mini_device *device, struct mini_queue *queue, unsigned int index,
			  uint16_t *id)
{
	uint32_t slot = queue->head % queue->depth, words[4 * 8], count = 1;
	const uint8_t *from = queue->sq ? at(device, queue->sq + 16 * slot, 16) :
		device->bar2 + (index * LLQ_DEPTH * 2 + slot) * LLQ_ENTRY;

	if (!from)
		return;
	memcpy(words, from, queue->sq ? 16 : LLQ_ENTRY);
	if (!queue->sq)
		count = words[0] & ENA_HW_TX_FIRST ? 2 : 8;
	for (uint32_t *word = words; count; count--, word += 4) {
		uint32_t done[2];

		if (word[0] & ENA_HW_TX_META)
			continue;
		if (word[0] & ENA_HW_TX_COMPLETE)
			*id = (uint16_t)(word[1] >> 22 | (word[0] >> 16 & 0x3f) << 10);
		if (!(word[0] & ENA_HW_TX_LAST))
			continue;
		done[0] = *id | (uint32_t)!(queue->done / queue->cq_depth & 1) << 24;
		done[1] = (uint32_t)queue->head << 16;
		say(device, queue->cq + 8u * (queue->done++ % queue->cq_depth), done, sizeof(done));
		break;
	}
}

static void run_tx(struct mini_device *device, unsigned int index)
{
	struct mini_queue *queue = &device->tx[index];
	uint16_t id = 0;

	for (; queue->exists && queue->head != queue->tail; queue->head++)
		complete_slot(device, queue, index, &id);
}

void mini_device_receive(struct mini_device *device, unsigned int pair, uint32_t bytes)
{
	struct mini_queue *queue = &device->rx[pair % MINI_QUEUES];
	bool first = true;

	while (bytes && queue->exists && queue->head != queue->tail) {
		uint8_t *from = at(device, queue->sq + 16u * (queue->head++ % queue->depth), 16);
		struct ena_hw_rx_desc desc;
		uint32_t size, done[4];

		if (!from)
			return;
		memcpy(&desc, from, sizeof(desc));
		size = desc.length && desc.length < bytes ? desc.length : bytes;
		bytes -= size;
		done[0] = (uint32_t)!(queue->done / queue->cq_depth & 1) << 24 |
			  (first ? ENA_HW_RX_FIRST : 0) | (bytes ? 0 : ENA_HW_RX_LAST) |
			  ENA_HW_RX_L4_TCP << 8 | ENA_HW_RX_L4_CHECKED;
		done[1] = size | (uint32_t)desc.id << 16;
		done[2] = 0x12345678;
		done[3] = 0;
		say(device, queue->cq + 16u * (queue->done++ % queue->cq_depth), done,
		    sizeof(done));
		first = false;
	}
}

static void reset(struct mini_device *device)
{
	memset(device->tx, 0, sizeof(device->tx));
	memset(device->rx, 0, sizeof(device->rx));
	memset(device->reg, 0, sizeof(device->reg));
	device->aq_head = device->aq_tail = device->cq_count = 0;
	device->events = device->event_credit = 0;
	device->masked = true;
	device->status = ENA_HW_STATUS_READY | ENA_HW_STATUS_RESETTING;
}

static void write_register(void *context, uint32_t offset, uint32_t value)
{
	struct mini_device *device = context;
	struct ena_hw_read_reply reply;

	if (offset >= UNMASK)
		return;
	if (offset >= DOORBELL_RX) {
		device->rx[(offset - DOORBELL_RX) / 4 % MINI_QUEUES].tail = (uint16_t)value;
		return;
	}
	if (offset >= DOORBELL_TX) {
		device->tx[(offset - DOORBELL_TX) / 4 % MINI_QUEUES].tail = (uint16_t)value;
		return;
	}
	switch (offset) {
	case ENA_HW_READ_REQUEST:
		reply.request_id = (uint16_t)value;
		reply.offset = (uint16_t)(value >> 16);
		reply.value = register_value(device, reply.offset);
		say(device, stored(device, ENA_HW_READ_REPLY_LOW), &reply, sizeof(reply));
		break;
	case ENA_HW_CONTROL:
		if (value & ENA_HW_CONTROL_RESET)
			reset(device);
		else
			device->status = ENA_HW_STATUS_READY;
		break;
	case ENA_HW_AQ_DOORBELL:
		device->aq_tail = (uint16_t)value;
		break;
	case ENA_HW_AENQ_DOORBELL:
		device->event_credit = (uint16_t)value;
		break;
	case ENA_HW_INTERRUPT_MASK:
		device->masked = value & 1;
		break;
	default:
		device->reg[offset / 4 % 32] = value;
	}
}

static void write_llq(void *context, uint32_t offset, const void *bytes, uint32_t size)
{
	struct mini_device *device = context;

	memcpy(device->bar2 + offset, bytes, size);
}

static void run(void *context, uint32_t microseconds)
{
	struct mini_device *device = context;

	(void)microseconds;
	run_admin(device);
	for (unsigned int i = 0; i < MINI_QUEUES; i++)
		run_tx(device, i);
}

static void want_reset(void *context)
{
	((struct mini_device *)context)->reset_wanted = true;
}

static void ignore_flag(void *context, bool on)
{
	(void)context;
	(void)on;
}

static void ignore_number(void *context, uint32_t number)
{
	(void)context;
	(void)number;
}

static void ignore_line(void *context, int level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

void mini_device_init(struct mini_device *device, struct host_card *card, void *arena, size_t size,
		      uint64_t address)
{
	memset(device, 0, sizeof(*device));
	device->arena = arena;
	device->size = size;
	device->address = address;
	device->status = ENA_HW_STATUS_READY;
	device->masked = true;
	*card = (struct host_card){
		.context = device, .read = read_register, .write = write_register,
		.write_llq = write_llq, .run = run, .bus_master = ignore_flag, .link = ignore_flag,
		.want_reset = want_reset, .want_poll = ignore_number, .log = ignore_line,
	};
}
