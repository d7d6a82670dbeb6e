/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a card: attach, up, down, recovery, detach. The place to begin reading. */
#include "ena_internal.h"

#define PAGE 4096
#define READ_TIMEOUT_US 200000
#define ADMIN_TIMEOUT_US 3000000
#define MISSING_TX_TICKS 5
#define RECOVERY_TRIES 3
#define RECOVERY_PAUSE_US 100000

static void free_memory(struct ena_device *device)
{
	ena_ring_free(device, &device->read_reply);
	ena_ring_free(device, &device->host_info);
	ena_ring_free(device, &device->aenq.ring);
	ena_ring_free(device, &device->admin.control);
	ena_ring_free(device, &device->admin.rings);
	ena_os_free(device->os, device->pair);
	device->pair = NULL;
}

/* What stays allocated from attach to detach. */
static int allocate_memory(struct ena_device *device)
{
	struct ena_dma *page[] = { &device->read_reply, &device->host_info, &device->aenq.ring,
				   &device->admin.control, &device->admin.rings };
	int error = 0;

	for (size_t i = 0; i < ENA_COUNT(page) && !error; i++)
		error = ena_ring_alloc(device, PAGE, page[i]);
	if (!error) {
		device->pair = ena_os_alloc(device->os, ENA_MAX_PAIRS * sizeof(*device->pair));
		error = device->pair ? 0 : ENA_E_MEMORY;
	}
	return error;
}

/* The versions and limits that registers tell. */
static int check_registers(struct ena_device *device)
{
	uint32_t version = ena_read_register(device, ENA_HW_VERSION);
	uint32_t controller = ena_read_register(device, ENA_HW_CONTROLLER_VERSION);
	uint32_t caps = ena_read_register(device, ENA_HW_CAPS);
	uint32_t timeout = ENA_HW_CAPS_ADMIN_TIMEOUT(caps) * 100000;
	uint32_t width = ENA_HW_CAPS_ADDRESS_WIDTH(caps);

	if (version == ENA_HW_READ_FAILED || controller == ENA_HW_READ_FAILED ||
	    caps == ENA_HW_READ_FAILED ||
	    (controller & ENA_HW_CONTROLLER_VERSION_MASK) < ENA_HW_CONTROLLER_VERSION_MIN)
		return ena_complain(device, "unknown controller version", controller);
	if (width < 32 || width > 48)
		return ena_complain(device, "unusable width of addresses", width);
	device->address_bits = (uint8_t)width;
	device->admin.timeout = timeout ? timeout : ADMIN_TIMEOUT_US;
	return 0;
}

/* Reset the device. One that does not obey is cut off from memory. */
static int quiesce(struct ena_device *device, enum ena_hw_reset_reason reason)
{
	int error;

	ena_aenq_stop(device);
	ena_admin_stop(device);
	device->started = false;
	error = ena_reset(device, reason);
	if (error)
		ena_os_bus_master(device->os, false);
	return error;
}

/* From a device that was reset to one whose features are agreed on and whose events come. */
static int start(struct ena_device *device)
{
	int error = check_registers(device);

	if (error)
		return error;
	device->read_timeout = READ_TIMEOUT_US;
	device->missing_tx_ticks = MISSING_TX_TICKS;
	ena_os_write(device->os, ENA_HW_INTERRUPT_MASK, 1);
	ena_aenq_prepare(device);
	ena_admin_start(device);
	error = ena_features_agree(device);
	if (!error)
		error = ena_aenq_start(device);
	if (error)
		return error;
	device->reset_reason = ENA_HW_RESET_OS_TRIGGER; /* unless something else comes first */
	ENA_SHOW(device->reset_wanted, false);
	ENA_SHOW(device->started, true);
	return 0;
}

static int reset_and_start(struct ena_device *device, enum ena_hw_reset_reason reason)
{
	int error;

	ena_os_bus_master(device->os, true);
	error = quiesce(device, reason);
	if (!error)
		error = start(device);
	if (error)
		quiesce(device, ENA_HW_RESET_INIT);
	return error;
}

int ena_attach(struct ena_device *device, const struct ena_config *config)
{
	int error;

	if (config->register_bytes < PAGE || config->vectors == 1)
		return ENA_E_ARGUMENT;
	device->config = *config;
	device->os = config->os;
	device->read_timeout = READ_TIMEOUT_US;
	device->address_bits = 48;
	error = allocate_memory(device);
	if (!error)
		error = reset_and_start(device, ENA_HW_RESET_NORMAL);
	if (error)
		free_memory(device);
	return error;
}

static void release_pairs(struct ena_device *device)
{
	for (uint16_t i = 0; i < device->pairs; i++)
		ena_pair_release(device, &device->pair[i]);
	device->up = false;
}

/* Queues are destroyed one by one. If the device does not confirm, it is reset: memory is released
 * only when it can no longer be written to. */
static int destroy_pairs(struct ena_device *device)
{
	int error = 0;

	for (uint16_t i = 0; i < device->pairs && !error; i++)
		error = ena_pair_destroy(device, &device->pair[i]);
	if (error) {
		bool started = device->started;

		quiesce(device, ENA_HW_RESET_DRIVER_STATE);
		if (started)
			ena_os_want_reset(device->os);
	}
	release_pairs(device);
	return error;
}

static int create_pairs(struct ena_device *device)
{
	int error = 0;

	for (uint16_t i = 0; i < device->pairs && !error; i++)
		error = ena_pair_create(device, i);
	if (!error)
		error = ena_rss_apply(device);
	return error;
}

int ena_up(struct ena_device *device, uint16_t pairs, uint16_t tx_depth, uint16_t rx_depth)
{
	const struct ena_limits *limits = &device->limits;
	int error;

	if (!device->started)
		return ENA_E_DOWN;
	if (device->up || !pairs || pairs > limits->max_pairs || !ena_is_power_of_two(tx_depth) ||
	    !ena_is_power_of_two(rx_depth) || tx_depth > limits->max_tx_depth ||
	    rx_depth > limits->max_rx_depth || tx_depth < ENA_MIN_DEPTH ||
	    rx_depth < ENA_MIN_DEPTH)
		return ENA_E_ARGUMENT;
	device->pairs = pairs;
	device->tx_depth = tx_depth;
	device->rx_depth = rx_depth;
	while ((error = create_pairs(device))) {
		if (destroy_pairs(device) || error != ENA_E_MEMORY ||
		    (device->tx_depth == ENA_MIN_DEPTH && device->rx_depth == ENA_MIN_DEPTH))
			return error;
		if (device->tx_depth > ENA_MIN_DEPTH)
			device->tx_depth /= 2;
		if (device->rx_depth > ENA_MIN_DEPTH)
			device->rx_depth /= 2;
	}
	device->up = true;
	/* Not fatal: packets up to what the device has by itself still pass. */
	if (ena_set_mtu(device, device->mtu))
		ena_os_log(device->os, ENA_LOG_WARNING, "the device does not take an MTU of %u",
			   (unsigned int)device->mtu);
	return 0;
}

void ena_down(struct ena_device *device)
{
	if (device->up)
		destroy_pairs(device);
}

void ena_want_reset(struct ena_device *device, enum ena_hw_reset_reason reason)
{
	if (!ENA_SEE(device->started) ||
	    __atomic_exchange_n(&device->reset_wanted, true, __ATOMIC_ACQ_REL))
		return;
	device->reset_reason = reason;
	ena_os_want_reset(device->os);
}

void ena_halt(struct ena_device *device)
{
	quiesce(device, device->reset_reason);
	if (device->up)
		release_pairs(device);
}

int ena_recover(struct ena_device *device)
{
	int error = ENA_E_DEVICE;

	for (int i = 0; i < RECOVERY_TRIES && error; i++) {
		if (i)
			ena_os_sleep(device->os, RECOVERY_PAUSE_US << i);
		error = reset_and_start(device, device->reset_reason);
	}
	device->stats.resets++;
	if (error) {
		device->stats.failed_recoveries++;
		ena_complain(device, "the device did not come back; giving it up, tries",
			     RECOVERY_TRIES);
	}
	return error;
}

void ena_detach(struct ena_device *device)
{
	quiesce(device, ENA_HW_RESET_SHUTDOWN);
	if (device->up)
		release_pairs(device);
	ena_os_bus_master(device->os, false);
	free_memory(device);
}
