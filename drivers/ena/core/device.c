/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a card: attach, up, down, recovery, detach. The place to begin reading. */
#include "ena_internal.h"

#define LEAST_REGISTERS 4096
#define READ_TIMEOUT_US 200000
#define ADMIN_TIMEOUT_US 3000000
#define MISSING_TX_TICKS 5
#define RECOVERY_TRIES 3
#define RECOVERY_PAUSE_US 100000

/* The versions and limits that registers tell. */
static int ena_check_registers(struct ena_device *device)
{
	uint32_t version = ena_read_register(device, ENA_HW_VERSION);
	uint32_t controller = ena_read_register(device, ENA_HW_CONTROLLER_VERSION);
	uint32_t caps = ena_read_register(device, ENA_HW_CAPS);
	uint32_t timeout = ENA_HW_CAPS_ADMIN_TIMEOUT(caps) * 100000;
	uint32_t width = ENA_HW_CAPS_ADDRESS_WIDTH(caps);

	if (version == ENA_HW_READ_FAILED || controller == ENA_HW_READ_FAILED ||
	    caps == ENA_HW_READ_FAILED || !(controller & ENA_HW_CONTROLLER_VERSION_MASK))
		return ena_device_error(device, "unknown controller version", controller);
	if (width < 32 || width > 48)
		return ena_device_error(device, "unusable width of addresses", width);
	device->address_bits = (uint8_t)width;
	device->admin.timeout = timeout ?: ADMIN_TIMEOUT_US;
	return 0;
}

/* Reset the device. One that does not obey is cut off from memory. */
static int ena_quiesce(struct ena_device *device, enum ena_hw_reset_reason reason)
{
	ena_aenq_stop(device);
	ena_admin_stop(device);
	device->started = false;
	int error = ena_reset(device, reason);
	if (error)
		ena_os_bus_master(device->os, false);
	return error;
}

/* From a device that was reset to one whose features are agreed on and whose events come. */
static int ena_start(struct ena_device *device)
{
	int error = ena_check_registers(device);
	if (error)
		return error;
	device->read_timeout = READ_TIMEOUT_US;
	device->missing_tx_ticks = MISSING_TX_TICKS;
	ena_os_write(device->os, ENA_HW_INTERRUPT_MASK, 1);
	ena_aenq_prepare(device);
	ena_admin_start(device);
	error = ena_features_negotiate(device) ?: ena_aenq_start(device);
	if (error)
		return error;
	device->reset_reason = ENA_HW_RESET_OS_TRIGGER; /* unless something else comes first */
	ENA_STORE_RELEASE(device->reset_wanted, false);
	ENA_STORE_RELEASE(device->started, true);
	return 0;
}

static int ena_reset_and_start(struct ena_device *device, enum ena_hw_reset_reason reason)
{
	ena_os_bus_master(device->os, true);
	int error = ena_quiesce(device, reason) ?: ena_start(device);
	if (error)
		ena_quiesce(device, ENA_HW_RESET_INIT);
	return error;
}

static void ena_free_memory(struct ena_device *device)
{
	ena_ring_free(device, &device->shared);
	ena_os_free(device->os, device->pair);
	device->pair = NULL;
}

int ena_attach(struct ena_device *device, const struct ena_config *config)
{
	if (config->register_bytes < LEAST_REGISTERS || config->vectors == 1)
		return ENA_E_ARGUMENT;
	device->config = *config;
	device->os = config->os;
	device->read_timeout = READ_TIMEOUT_US;
	device->address_bits = 48;
	/* Vector 0 is the device's own. A card without vectors is polled. */
	device->pair_count = (uint16_t)ena_min(config->vectors - 1u, ENA_MAX_PAIRS);
	device->pair = ena_os_alloc(device->os, device->pair_count * sizeof(*device->pair));
	int error = device->pair ? 0 : ENA_E_MEMORY;
	error = error ?: ena_ring_alloc(device, sizeof(struct ena_shared), &device->shared) ?:
			 ena_reset_and_start(device, ENA_HW_RESET_NORMAL);
	if (error)
		ena_free_memory(device);
	return error;
}

static void ena_release_pairs(struct ena_device *device)
{
	for (uint16_t i = 0; i < device->pairs; i++)
		ena_pair_release(device, &device->pair[i]);
	device->up = false;
}

/* Queues are destroyed one by one. If the device does not confirm, it is reset: memory is released
 * only when it can no longer be written to. */
static int ena_destroy_pairs(struct ena_device *device)
{
	int error = 0;

	for (uint16_t i = 0; i < device->pairs && !error; i++)
		error = ena_pair_destroy(device, &device->pair[i]);
	if (error) {
		ena_want_reset(device, ENA_HW_RESET_DRIVER_STATE);
		ena_quiesce(device, device->reset_reason);
	}
	ena_release_pairs(device);
	return error;
}

static int ena_create_pairs(struct ena_device *device)
{
	int error = 0;

	for (uint16_t i = 0; i < device->pairs && !error; i++)
		error = ena_pair_create(device, i);
	return error ?: ena_rss_apply(device);
}

static bool ena_is_depth(uint16_t depth, uint16_t most)
{
	return depth == ena_round_down(depth) && depth >= ENA_MIN_DEPTH && depth <= most;
}

int ena_up(struct ena_device *device, uint16_t pairs, uint16_t tx_depth, uint16_t rx_depth)
{
	const struct ena_limits *limits = &device->limits;
	int error;

	if (!device->started)
		return ENA_E_DOWN;
	if (device->up || !pairs || pairs > limits->max_pairs ||
	    !ena_is_depth(tx_depth, limits->max_tx_depth) ||
	    !ena_is_depth(rx_depth, limits->max_rx_depth))
		return ENA_E_ARGUMENT;
	device->pairs = pairs;
	device->tx_depth = tx_depth;
	device->rx_depth = rx_depth;
	while ((error = ena_create_pairs(device))) {
		if (ena_destroy_pairs(device) || error != ENA_E_MEMORY ||
		    (device->tx_depth == ENA_MIN_DEPTH && device->rx_depth == ENA_MIN_DEPTH))
			return error;
		device->tx_depth /= device->tx_depth > ENA_MIN_DEPTH ? 2 : 1;
		device->rx_depth /= device->rx_depth > ENA_MIN_DEPTH ? 2 : 1;
	}
	device->up = true;
	/* Not fatal: packets up to what the device has by itself still pass. */
	if (ena_set_mtu(device, device->mtu))
		ena_warn(device, "the device takes no MTU of %u", (unsigned int)device->mtu);
	return 0;
}

void ena_down(struct ena_device *device)
{
	if (device->up)
		ena_destroy_pairs(device);
}

void ena_want_reset(struct ena_device *device, enum ena_hw_reset_reason reason)
{
	if (!ENA_LOAD_ACQUIRE(device->started) ||
	    __atomic_exchange_n(&device->reset_wanted, true, __ATOMIC_ACQ_REL))
		return;
	device->reset_reason = reason;
	ena_os_want_reset(device->os);
}

void ena_halt(struct ena_device *device)
{
	ena_quiesce(device, device->reset_reason);
	if (device->up)
		ena_release_pairs(device);
}

int ena_recover(struct ena_device *device)
{
	int error = ENA_E_DEVICE;

	for (int i = 0; i < RECOVERY_TRIES && error; i++) {
		if (i)
			ena_os_sleep(device->os, RECOVERY_PAUSE_US << i);
		error = ena_reset_and_start(device, device->reset_reason);
	}
	device->stats.resets++;
	device->stats.failed_recoveries += error != 0;
	if (error)
		ena_device_error(device, "the device is lost; giving it up, tries", RECOVERY_TRIES);
	return error;
}

void ena_detach(struct ena_device *device)
{
	device->reset_reason = ENA_HW_RESET_SHUTDOWN;
	ena_halt(device);
	ena_os_bus_master(device->os, false);
	ena_free_memory(device);
}
