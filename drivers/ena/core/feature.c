/* SPDX-License-Identifier: BSD-3-Clause */
/* What the device offers: attributes, queues, offloads, hints; and who drives it. */
#include "ena_internal.h"

#define DRIVER_MAJOR 2 /* strict firmware wants this very number */
#define DRIVER_VERSION (DRIVER_MAJOR | 1u << 8)

#define ADMIN_TIMEOUT_MIN_MS 500
#define ADMIN_TIMEOUT_MAX_MS 30000
#define READ_TIMEOUT_MIN_MS 10
#define READ_TIMEOUT_MAX_MS 2000
#define KEEP_ALIVE_MIN_MS 2000
#define LEAST_MAX_MTU 576

bool ena_has_feature(const struct ena_device *device, uint8_t feature)
{
	return device->features >> feature & 1;
}

static void copy_string(char *to, size_t size, const char *from)
{
	for (size_t i = 0; i + 1 < size && from && from[i]; i++)
		to[i] = from[i];
}

/* Introduce ourselves. Some firmware creates no queue for a stranger. */
int ena_host_info_send(struct ena_device *device)
{
	const struct ena_config *config = &device->config;
	struct ena_hw_host_info *info = device->host_info.memory;
	struct ena_hw_host_address where = { .info = device->host_info.address };
	int error;

	ena_clear(info, sizeof(*info));
	info->os_type = config->os_type;
	copy_string(info->os_name, sizeof(info->os_name), config->os_name);
	copy_string(info->kernel_name, sizeof(info->kernel_name), config->os_version);
	info->driver_version = DRIVER_VERSION;
	info->spec_version = ENA_HW_SPEC_VERSION;
	info->pci_address = config->pci_address;
	info->cpus = config->cpus;
	info->driver_features = ENA_HW_DRIVER_RX_OFFSET | ENA_HW_DRIVER_MODERATION |
				ENA_HW_DRIVER_HASH_KEY | ENA_HW_DRIVER_TX_IP6_CSUM;
	error = ena_set_feature(device, ENA_HW_F_HOST_INFO, &where, sizeof(where), 0);
	return error == ENA_E_UNSUPPORTED || error == ENA_E_REFUSED ? 0 : error;
}

/* A feature that may be missing or refused: 1 it is there, 0 it is not, negative: it is over. */
static int get_optional(struct ena_device *device, uint8_t feature, void *payload, size_t size)
{
	int error;

	if (!ena_has_feature(device, feature))
		return 0;
	error = ena_get_feature(device, feature, 0, payload, size);
	if (error == ENA_E_UNSUPPORTED || error == ENA_E_REFUSED)
		return 0;
	return error ? error : 1;
}

static bool mac_is_usable(const uint8_t *mac)
{
	return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static int agree_attributes(struct ena_device *device)
{
	struct ena_limits *limits = &device->limits;
	struct ena_hw_attributes attributes;
	int error;

	error = ena_get_feature(device, ENA_HW_F_ATTRIBUTES, 0, &attributes, sizeof(attributes));
	if (error)
		return error;
	if (!mac_is_usable(attributes.mac) || attributes.max_mtu < LEAST_MAX_MTU)
		return ena_complain(device, "no usable MAC address or MTU", attributes.max_mtu);
	/* After a reset it must still be the same card, and as large a one. */
	if (device->mtu && (__builtin_memcmp(limits->mac, attributes.mac, sizeof(limits->mac)) ||
			    attributes.max_mtu < device->mtu))
		return ena_complain(device, "the reset has changed the MAC address or MTU",
				    attributes.max_mtu);
	ena_copy(limits->mac, attributes.mac, sizeof(limits->mac));
	limits->max_mtu = ena_min(attributes.max_mtu, ENA_MAX_MTU);
	if (!device->mtu)
		device->mtu = ena_min(limits->max_mtu, 1500);
	device->features = attributes.features;
	device->capabilities = attributes.capabilities;
	return 0;
}

static int agree_queues(struct ena_device *device)
{
	struct ena_limits *limits = &device->limits;
	struct ena_hw_queues_ext queues = { .version = 1 };
	struct ena_hw_queues old;
	uint32_t pairs, tx_depth, rx_depth;
	int error;

	if (ena_has_feature(device, ENA_HW_F_QUEUES_EXT)) {
		error = ena_get_feature(device, ENA_HW_F_QUEUES_EXT, 1, &queues, sizeof(queues));
	} else {
		error = ena_get_feature(device, ENA_HW_F_QUEUES, 0, &old, sizeof(old));
		if (!error)
			queues = (struct ena_hw_queues_ext){
				1, { 0 }, old.sq_count, old.cq_count, old.sq_count, old.cq_count,
				old.sq_depth, old.cq_depth, old.sq_depth, old.cq_depth,
				old.header_size, old.tx_descs, old.rx_descs,
			};
	}
	if (error)
		return error;

	pairs = ena_min(ena_min(queues.tx_sq_count, queues.tx_cq_count),
			ena_min(queues.rx_sq_count, queues.rx_cq_count));
	pairs = ena_min(pairs, ENA_MAX_PAIRS);
	if (device->config.vectors)
		pairs = ena_min(pairs, device->config.vectors - 1u);
	tx_depth = ena_round_down(ena_min(queues.tx_sq_depth, queues.tx_cq_depth));
	rx_depth = ena_round_down(ena_min(queues.rx_sq_depth, queues.rx_cq_depth));
	/* A packet is at least a meta and a data descriptor. */
	if (queues.version != 1 || !pairs || tx_depth < ENA_MIN_DEPTH || rx_depth < ENA_MIN_DEPTH ||
	    queues.tx_descs < 2 || !queues.rx_descs)
		return ena_complain(device, "the device offers no usable queues", pairs);
	limits->max_pairs = (uint16_t)pairs;
	limits->max_tx_depth = (uint16_t)ena_min(tx_depth, ENA_MAX_DEPTH);
	limits->max_rx_depth = (uint16_t)ena_min(rx_depth, ENA_MAX_DEPTH);
	limits->tx_segments = (uint8_t)ena_min(queues.tx_descs - 1u, ENA_MAX_SEGMENTS);
	device->rx_descs = (uint8_t)ena_min(queues.rx_descs, ENA_MAX_FRAGMENTS);
	device->header_size = (uint8_t)ena_min(queues.header_size, 0xff);
	return 0;
}

static int agree_offloads(struct ena_device *device)
{
	static const struct {
		uint32_t device, ours;
	} tx[] = {
		{ ENA_HW_TX_L4_IP4_PARTIAL, ENA_TX_CSUM_IP4 },
		{ ENA_HW_TX_L4_IP6_PARTIAL, ENA_TX_CSUM_IP6 },
		{ ENA_HW_TX_TSO4, ENA_TX_TSO_IP4 },
		{ ENA_HW_TX_TSO6, ENA_TX_TSO_IP6 },
	}, rx[] = {
		{ ENA_HW_RX_L4_IP4_CSUM, ENA_RX_CSUM_IP4 },
		{ ENA_HW_RX_L4_IP6_CSUM, ENA_RX_CSUM_IP6 },
		{ ENA_HW_RX_HASH, ENA_RX_HASH },
	};
	struct ena_hw_offloads offloads;
	int found = get_optional(device, ENA_HW_F_OFFLOADS, &offloads, sizeof(offloads));

	device->limits.offloads = 0;
	if (found <= 0)
		return found;
	for (size_t i = 0; i < ENA_COUNT(tx); i++)
		if (offloads.tx & tx[i].device)
			device->limits.offloads |= tx[i].ours;
	for (size_t i = 0; i < ENA_COUNT(rx); i++)
		if (offloads.rx_supported & rx[i].device)
			device->limits.offloads |= rx[i].ours;
	return 0;
}

/* Timeouts as the device wants them, within what is sane; may run in an interrupt. */
void ena_hints_apply(struct ena_device *device, const struct ena_hw_hints *hints)
{
	uint32_t ms;

	ms = hints->read_timeout;
	if (ms >= READ_TIMEOUT_MIN_MS && ms <= READ_TIMEOUT_MAX_MS)
		device->read_timeout = ms * 1000;
	ms = hints->admin_timeout;
	if (ms >= ADMIN_TIMEOUT_MIN_MS && ms <= ADMIN_TIMEOUT_MAX_MS)
		device->admin.timeout = ms * 1000;
	ms = hints->keep_alive_timeout;
	if (ms == ENA_HW_HINT_NEVER)
		device->aenq.keep_alive_timeout = 0;
	else if (ms >= KEEP_ALIVE_MIN_MS)
		device->aenq.keep_alive_timeout = (uint64_t)ms * 1000;
	ms = hints->missing_tx_timeout;
	if (ms == ENA_HW_HINT_NEVER)
		device->missing_tx_ticks = 0;
	else if (ms)
		device->missing_tx_ticks = ms / 1000 + 1;
}

static int agree_hints(struct ena_device *device)
{
	struct ena_hw_hints hints;
	int found = get_optional(device, ENA_HW_F_HINTS, &hints, sizeof(hints));

	if (found > 0)
		ena_hints_apply(device, &hints);
	return found < 0 ? found : 0;
}

static int agree_moderation(struct ena_device *device)
{
	uint16_t unit;
	int found = get_optional(device, ENA_HW_F_MODERATION, &unit, sizeof(unit));

	device->limits.delay_unit = 0;
	if (found > 0)
		device->limits.delay_unit = unit ? unit : 1;
	return found < 0 ? found : 0;
}

int ena_features_agree(struct ena_device *device)
{
	static int (*const step[])(struct ena_device *) = {
		ena_host_info_send, agree_attributes, agree_queues, agree_offloads,
		agree_hints,        agree_moderation, ena_llq_agree, ena_rss_agree,
	};
	int error = 0;

	for (size_t i = 0; i < ENA_COUNT(step) && !error; i++)
		error = step[i](device);
	return error;
}

int ena_set_mtu(struct ena_device *device, uint32_t mtu)
{
	int error = 0;

	if (mtu < ENA_MIN_MTU || mtu > device->limits.max_mtu)
		return ENA_E_ARGUMENT;
	if (device->started && ena_has_feature(device, ENA_HW_F_MTU))
		error = ena_set_feature(device, ENA_HW_F_MTU, &mtu, sizeof(mtu), 0);
	if (!error)
		device->mtu = mtu;
	return error;
}
