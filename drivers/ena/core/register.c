/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers: readless reads, and the reset handshake. */
#include "ena_internal.h"

#define READ_TRIES 3
#define POLL_MAX_US 1000

int ena_device_error(struct ena_device *device, const char *what, uint32_t value)
{
	ena_os_log(device->os, ENA_LOG_ERROR, "%s (0x%x)", what, (unsigned int)value);
	return ENA_E_DEVICE;
}

void ena_write_address(struct ena_device *device, uint32_t low, uint64_t address)
{
	ena_os_write(device->os, low, (uint32_t)address);
	ena_os_write(device->os, low + 4, (uint32_t)(address >> 32));
}

/* One readless read: ask, and wait until the device has written the answer to memory. */
static bool ena_read_once(struct ena_device *device, uint32_t offset, uint32_t *value)
{
	struct ena_hw_read_reply *slot = &ENA_SHARED(device)->read_reply;
	uint16_t sequence = ++device->read_sequence;
	uint32_t pause = 1;

	slot->request_id = ENA_LE16(~sequence);
	ena_os_write_barrier();
	ena_os_write(device->os, ENA_HW_READ_REQUEST, offset << 16 | sequence);

	uint64_t deadline = ena_os_now(device->os) + device->read_timeout;
	for (bool late = false; ENA_U16(ENA_READ_ONCE(slot->request_id)) != sequence;) {
		if (late)
			return false;
		ena_os_sleep(device->os, pause);
		pause = ena_min(2 * pause, POLL_MAX_US);
		late = ena_os_now(device->os) >= deadline;
	}
	ena_os_read_barrier();
	*value = ENA_U32(ENA_READ_ONCE(slot->value));
	return ENA_U16(ENA_READ_ONCE(slot->offset)) == offset;
}

/* A register's value, or ENA_HW_READ_FAILED. A card whose answers get lost is read by loads. */
uint32_t ena_read_register(struct ena_device *device, uint32_t offset)
{
	uint32_t value;

	for (int i = 0; i < READ_TRIES && !device->plain_reads; i++) {
		if (ena_read_once(device, offset, &value))
			return value;
		device->stats.read_timeouts++;
	}
	if (!device->plain_reads)
		ena_warn(device, "no answer to readless reads (0x%x); reading by loads", offset);
	device->plain_reads = true;
	return ena_os_read(device->os, offset);
}

static int ena_wait_for_status(struct ena_device *device, bool resetting, uint32_t timeout)
{
	uint64_t deadline = ena_os_now(device->os) + timeout;

	for (bool late = false;; late = ena_os_now(device->os) >= deadline) {
		uint32_t status = ena_read_register(device, ENA_HW_STATUS);

		if (status == ENA_HW_READ_FAILED)
			return ENA_E_DEVICE;
		if (!!(status & ENA_HW_STATUS_RESETTING) == resetting)
			return 0;
		if (late)
			return ENA_E_TIMEOUT;
		ena_os_sleep(device->os, POLL_MAX_US);
	}
}

/* Reset in two phases: ask, see it begin, let go, see it end. */
int ena_reset(struct ena_device *device, enum ena_hw_reset_reason reason)
{
	uint64_t reply = ENA_SHARED_ADDRESS(device, read_reply);

	device->plain_reads = device->config.plain_reads;
	ena_write_address(device, ENA_HW_READ_REPLY_LOW, reply);
	uint32_t status = ena_read_register(device, ENA_HW_STATUS);
	if (status == ENA_HW_READ_FAILED || !(status & ENA_HW_STATUS_READY))
		return ena_device_error(device, "the device is not ready, status", status);
	uint32_t caps = ena_read_register(device, ENA_HW_CAPS);
	uint32_t timeout = ENA_HW_CAPS_RESET_TIMEOUT(caps) * 100000;
	if (caps == ENA_HW_READ_FAILED || !timeout)
		return ena_device_error(device, "the device gives no time for a reset", caps);
	if (reason > 15 && !(device->capabilities & ENA_HW_CAN_LONG_REASONS))
		reason = ENA_HW_RESET_GENERIC;

	ena_os_write(device->os, ENA_HW_CONTROL,
		     ENA_HW_CONTROL_RESET | ENA_HW_CONTROL_REASON((uint32_t)reason));
	ena_write_address(device, ENA_HW_READ_REPLY_LOW, reply); /* the reset has forgotten it */
	int error = ena_wait_for_status(device, true, timeout);
	if (!error) {
		ena_os_write(device->os, ENA_HW_CONTROL, 0);
		error = ena_wait_for_status(device, false, timeout);
	}
	if (error)
		ena_device_error(device, "the device ignores a reset for reason", reason);
	return error;
}
