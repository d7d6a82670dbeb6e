/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The admin queue: one command at a time. Slot n of the completion ring answers slot n of the
 * submission ring, so both share index and phase.
 */
#include "ena_internal.h"

#define DEPTH 32
#define RING_BYTES (DEPTH * ENA_HW_ADMIN_ENTRY)
#define WAIT_MIN_US 20
#define WAIT_MAX_US 5000

struct ena_hw_address ena_hw_address(uint64_t address)
{
	return (struct ena_hw_address){ .low = (uint32_t)address,
					.high = (uint16_t)(address >> 32) };
}

/* Clear the rings, start phases anew, and tell a device that was reset where they are. */
void ena_admin_start(struct ena_device *device)
{
	struct ena_admin *admin = &device->admin;

	_Static_assert(2 * RING_BYTES <= 4096, "the rings share a page");
	ena_os_lock(device->os);
	ena_clear(admin->rings.memory, admin->rings.size);
	admin->tail = 0;
	admin->phase = 1;
	admin->polling = device->config.vectors == 0;
	ena_os_write_barrier();
	ena_write_address(device, ENA_HW_AQ_BASE_LOW, admin->rings.address);
	ena_write_address(device, ENA_HW_ACQ_BASE_LOW, admin->rings.address + RING_BYTES);
	ena_os_write(device->os, ENA_HW_AQ_CAPS, ENA_HW_RING_CAPS(DEPTH, ENA_HW_ADMIN_ENTRY));
	ena_os_write(device->os, ENA_HW_ACQ_CAPS, ENA_HW_RING_CAPS(DEPTH, ENA_HW_ADMIN_ENTRY));
	admin->alive = true;
	ena_os_unlock(device->os);
}

void ena_admin_stop(struct ena_device *device)
{
	ena_os_lock(device->os);
	device->admin.alive = false;
	ena_os_unlock(device->os);
}

static __attribute__((cold)) int die(struct ena_device *device, int error)
{
	device->admin.alive = false;
	device->stats.admin_timeouts += error == ENA_E_TIMEOUT;
	ena_want_reset(device, ENA_HW_RESET_ADMIN_TIMEOUT);
	return error;
}

/* Wait until the flags byte of the completion carries our phase. Each wait ends with the
 * interrupt or, where that got lost, a little later by itself. */
static int wait_for_reply(struct ena_device *device, const struct ena_hw_reply *slot)
{
	struct ena_admin *admin = &device->admin;
	uint64_t deadline = ena_os_now(device->os) + admin->timeout;
	uint32_t interrupts = ENA_SEE(device->interrupts);
	uint32_t pause = WAIT_MIN_US;

	for (;;) {
		bool late = ena_os_now(device->os) >= deadline;

		if ((ena_load8(&slot->flags) & ENA_HW_PHASE) == admin->phase)
			break;
		if (late)
			return ENA_E_TIMEOUT;
		if (admin->polling)
			ena_os_sleep(device->os, pause);
		else
			ena_os_wait(device->os, pause);
		pause = ena_min(2 * pause, WAIT_MAX_US);
	}
	ena_os_read_barrier();
	/* The longest wait was reached, the answer is here and its interrupt is not. */
	if (device->started && !admin->polling && pause == WAIT_MAX_US &&
	    ENA_SEE(device->interrupts) == interrupts) {
		ena_os_log(device->os, ENA_LOG_WARNING,
			   "an admin interrupt got lost; polling from now on");
		device->stats.admin_lost_interrupts++;
		admin->polling = true;
	}
	return 0;
}

static int run_locked(struct ena_device *device, struct ena_hw_command *command,
		      struct ena_hw_reply *reply)
{
	struct ena_admin *admin = &device->admin;
	uint16_t slot = admin->tail % DEPTH;
	struct ena_hw_command *submission = (struct ena_hw_command *)admin->rings.memory + slot;
	struct ena_hw_reply *completion =
		(struct ena_hw_reply *)((uint8_t *)admin->rings.memory + RING_BYTES) + slot;
	int error;

	if (!admin->alive)
		return ENA_E_DOWN;
	device->stats.admin_commands++;
	command->id = slot;
	command->flags |= admin->phase;
	ena_copy(submission, command, sizeof(*command));
	admin->tail++;
	ena_os_write_barrier();
	ena_os_write(device->os, ENA_HW_AQ_DOORBELL, admin->tail);

	error = wait_for_reply(device, completion);
	if (error) {
		ena_complain(device, "no answer to admin command", command->opcode);
		return die(device, error);
	}
	ena_load(reply, completion, sizeof(*reply) / 4);
	if (admin->tail % DEPTH == 0)
		admin->phase ^= 1;
	if ((reply->id & ENA_HW_COMMAND_ID) != command->id) {
		ena_complain(device, "an answer to an admin command that was not asked", reply->id);
		device->stats.admin_stray++;
		return die(device, ENA_E_DEVICE);
	}
	return reply->status == ENA_HW_OK	     ? 0 :
	       reply->status == ENA_HW_UNSUPPORTED  ? ENA_E_UNSUPPORTED :
	       reply->status == ENA_HW_NO_RESOURCES ? ENA_E_MEMORY : ENA_E_REFUSED;
}

/* Run one command, any 64-byte structure that begins like ena_hw_command. */
int ena_admin_run(struct ena_device *device, void *command, struct ena_hw_reply *reply)
{
	struct ena_hw_command entry;
	int error;

	ena_copy(&entry, command, sizeof(entry));
	ena_os_lock(device->os);
	error = run_locked(device, &entry, reply);
	ena_os_unlock(device->os);
	if (error == ENA_E_REFUSED)
		ena_os_log(device->os, ENA_LOG_WARNING,
			   "admin command %d refused: status %d, extended 0x%x", entry.opcode,
			   reply->status, reply->extended_status);
	return error;
}

int ena_get_feature(struct ena_device *device, uint8_t feature, uint8_t version, void *payload,
		    size_t size)
{
	struct ena_hw_feature command = { .opcode = ENA_HW_GET_FEATURE,
					  .feature = feature, .version = version };
	struct ena_hw_reply reply;
	int error = ena_admin_run(device, &command, &reply);

	if (!error)
		ena_copy(payload, reply.payload, size);
	return error;
}

int ena_set_feature(struct ena_device *device, uint8_t feature, const void *payload, size_t size,
		    uint32_t control_length)
{
	struct ena_hw_feature command = { .opcode = ENA_HW_SET_FEATURE, .feature = feature };
	struct ena_hw_reply reply;

	if (control_length) {
		command.flags = ENA_HW_AQ_INDIRECT;
		command.control_length = control_length;
		command.control = ena_hw_address(device->admin.control.address);
	}
	ena_copy(command.payload, payload, size);
	return ena_admin_run(device, &command, &reply);
}
