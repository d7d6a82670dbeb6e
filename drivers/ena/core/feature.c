/* SPDX-License-Identifier: BSD-3-Clause */
/* What the device offers: attributes, queues, offloads, hints; and who drives it. */
#include "ena_internal.h"

#define DRIVER_VERSION (2 | 1 << 8) /* 2.1: strict firmware wants this very major version */
#define LEAST_MAX_MTU 576

static void ena_copy_string(char *to, size_t size, const char *from)
{
	for (size_t i = 0; i + 1 < size && from && from[i]; i++)
		to[i] = from[i];
}

/* Introduce ourselves. Some firmware creates no queue for a stranger. */
static int ena_send_host_info(struct ena_device *device)
{
	const struct ena_config *config = &device->config;
	struct ena_hw_host_info *info = &ENA_SHARED(device)->host_info;
	const union ena_hw_feature where = {
		.host.info = ena_hw_address(ENA_SHARED_ADDRESS(device, host_info)),
	};

	*info = (struct ena_hw_host_info){
		.os_type = ENA_LE32(config->os_type), .pci_address = ENA_LE16(config->pci_address),
		.spec_version = ENA_LE16(ENA_HW_SPEC_VERSION),
		.driver_version = ENA_LE32(DRIVER_VERSION),
		.cpus = ENA_LE16(config->cpus),
		.driver_features = ENA_LE32(ENA_HW_DRIVER_RX_OFFSET | ENA_HW_DRIVER_MODERATION |
				   ENA_HW_DRIVER_HASH_KEY | ENA_HW_DRIVER_TX_IP6_CSUM),
	};
	ena_copy_string(info->os_name, sizeof(info->os_name), config->os_name);
	ena_copy_string(info->kernel_name, sizeof(info->kernel_name), config->os_version);
	return ena_ignore_unsupported(ena_set_feature(device, ENA_HW_F_HOST_INFO, &where, 0));
}

static int ena_negotiate_attributes(struct ena_device *device)
{
	struct ena_limits *limits = &device->limits;
	static const uint8_t no_mac[6];
	union ena_hw_feature feature;
	const struct ena_hw_attributes *offer = &feature.attributes;
	int error = ena_get_feature(device, ENA_HW_F_ATTRIBUTES, &feature);
	if (error)
		return error;
	uint32_t max_mtu = ENA_U32(offer->max_mtu);
	if (offer->mac[0] & 1 || !__builtin_memcmp(offer->mac, no_mac, sizeof(no_mac)) ||
	    max_mtu < LEAST_MAX_MTU)
		return ena_device_error(device, "no usable MAC address or MTU", max_mtu);
	/* After a reset it must still be the same card, and as large a one. */
	if (device->mtu && (__builtin_memcmp(limits->mac, offer->mac, sizeof(limits->mac)) ||
			    max_mtu < device->mtu))
		return ena_device_error(device, "the reset has changed MAC or MTU", max_mtu);
	__builtin_memcpy(limits->mac, offer->mac, sizeof(limits->mac));
	limits->max_mtu = ena_min(max_mtu, ENA_MAX_MTU);
	if (!device->mtu)
		device->mtu = ena_min(limits->max_mtu, 1500);
	device->features = ENA_U32(offer->features);
	device->capabilities = ENA_U32(offer->capabilities);
	return 0;
}

static int ena_negotiate_queues(struct ena_device *device)
{
	struct ena_limits *limits = &device->limits;
	union ena_hw_feature feature;
	struct ena_hw_queues_ext *offer = &feature.queues_ext;
	int error = ena_get_feature(device, ENA_HW_F_QUEUES_EXT, &feature);

	if (error == ENA_E_UNSUPPORTED) {
		error = ena_get_feature(device, ENA_HW_F_QUEUES, &feature);
		struct ena_hw_queues old = feature.queues;
		*offer = (struct ena_hw_queues_ext){
			1, { 0 }, old.sq_count, old.cq_count, old.sq_count, old.cq_count,
			old.sq_depth, old.cq_depth, old.sq_depth, old.cq_depth,
			old.header_size, old.tx_descs, old.rx_descs,
		};
	}
	if (error)
		return error;

	uint32_t pairs = ena_min(ena_min(ENA_U32(offer->tx_sq_count), ENA_U32(offer->tx_cq_count)),
				 ena_min(ENA_U32(offer->rx_sq_count), ENA_U32(offer->rx_cq_count)));
	uint32_t tx_depth = ena_round_down(ena_min(ENA_U32(offer->tx_sq_depth),
						    ENA_U32(offer->tx_cq_depth)));
	uint32_t rx_depth = ena_round_down(ena_min(ENA_U32(offer->rx_sq_depth),
						    ENA_U32(offer->rx_cq_depth)));
	/* A packet is at least a meta and a data descriptor. */
	if (offer->version != 1 || !pairs || tx_depth < ENA_MIN_DEPTH || rx_depth < ENA_MIN_DEPTH ||
	    ENA_U16(offer->tx_descs) < 2 || !offer->rx_descs)
		return ena_device_error(device, "the device offers no usable queues", pairs);
	limits->max_pairs = (uint16_t)ena_min(pairs, device->pair_count);
	limits->max_tx_depth = (uint16_t)ena_min(tx_depth, ENA_MAX_DEPTH);
	limits->max_rx_depth = (uint16_t)ena_min(rx_depth, ENA_MAX_DEPTH);
	limits->tx_segments = (uint8_t)ena_min(ENA_U16(offer->tx_descs) - 1u, ENA_MAX_SEGMENTS);
	device->rx_descs = (uint8_t)ena_min(ENA_U16(offer->rx_descs), ENA_MAX_FRAGMENTS);
	device->header_size = (uint8_t)ena_min(ENA_U32(offer->header_size), 0xff);
	return 0;
}

/* Take a timeout of so many milliseconds, if it is sane, as microseconds. */
static void ena_set_timeout_ms(uint32_t *timeout, uint32_t ms, uint32_t least, uint32_t most)
{
	if (ms >= least && ms <= most)
		*timeout = ms * 1000;
}

/* Timeouts as the device wants them; may run in an interrupt. */
void ena_hints_apply(struct ena_device *device, const struct ena_hw_hints *hints)
{
	uint16_t keep_alive = ENA_U16(hints->keep_alive_timeout);
	uint16_t missing_tx = ENA_U16(hints->missing_tx_timeout);

	ena_set_timeout_ms(&device->read_timeout, ENA_U16(hints->read_timeout), 10, 2000);
	ena_set_timeout_ms(&device->admin.timeout, ENA_U16(hints->admin_timeout), 500, 30000);
	ena_set_timeout_ms(&device->aenq.keep_alive_timeout, keep_alive, 2000,
			   0xfffe);
	if (keep_alive == ENA_HW_HINT_NEVER)
		device->aenq.keep_alive_timeout = 0;
	if (missing_tx == ENA_HW_HINT_NEVER)
		device->missing_tx_ticks = 0;
	else if (missing_tx)
		device->missing_tx_ticks = missing_tx / 1000 + 1;
}

/* What a card may also lack. */
static int ena_negotiate_extras(struct ena_device *device)
{
	struct ena_limits *limits = &device->limits;
	union ena_hw_feature offer;
	int error = ena_ignore_unsupported(ena_get_feature(device, ENA_HW_F_OFFLOADS, &offer));

	limits->offloads = (ENA_U32(offer.offloads.tx) & (ENA_TX_CSUM | ENA_TX_TSO)) |
			   (ENA_U32(offer.offloads.rx) << 8 & ENA_RX_OFFLOADS);
	error = error ?: ena_ignore_unsupported(ena_get_feature(device, ENA_HW_F_HINTS, &offer));
	if (error)
		return error;
	ena_hints_apply(device, &offer.hints);
	error = ena_get_feature(device, ENA_HW_F_MODERATION, &offer);
	limits->delay_unit = error || offer.delay_unit ? ENA_U16(offer.delay_unit) : 1;
	return ena_ignore_unsupported(error);
}

int ena_features_negotiate(struct ena_device *device)
{
	/* What must be there to learn what there is. */
	device->features = 1u << ENA_HW_F_ATTRIBUTES;
	return ena_send_host_info(device) ?: ena_negotiate_attributes(device) ?:
	       ena_negotiate_queues(device) ?: ena_negotiate_extras(device) ?:
	       ena_llq_negotiate(device) ?: ena_rss_negotiate(device);
}

int ena_set_mtu(struct ena_device *device, uint32_t mtu)
{
	const union ena_hw_feature feature = { .mtu = ENA_LE32(mtu) };
	int error = 0;

	if (mtu < ENA_MIN_MTU || mtu > device->limits.max_mtu)
		return ENA_E_ARGUMENT;
	if (device->started && ena_has_feature(device, ENA_HW_F_MTU))
		error = ena_set_feature(device, ENA_HW_F_MTU, &feature, 0);
	if (!error)
		device->mtu = mtu;
	return error;
}
