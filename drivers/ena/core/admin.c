/* SPDX-License-Identifier: BSD-3-Clause */
/* The admin queue: one command at a time. Slot n of the completion ring answers slot n of the
 * submission ring, so both share index and phase. */
#include "ena_internal.h"

#define DEPTH ENA_ADMIN_DEPTH
#define WAIT_MIN_US 20
#define WAIT_MAX_US 5000

struct ena_hw_address ena_hw_address(uint64_t address)
{
	return (struct ena_hw_address){ ENA_LE32(address), ENA_LE16(address >> 32), ENA_LE16(0) };
}

/* Clear the rings, start phases anew, and tell a device that was reset where they are. */
void ena_admin_start(struct ena_device *device)
{
	struct ena_shared *shared = device->shared.memory;
	const uint32_t caps = ENA_HW_RING_CAPS(DEPTH, sizeof(struct ena_hw_command));

	ena_os_lock(device->os);
	__builtin_memset(shared->commands, 0, sizeof(shared->commands));
	__builtin_memset(shared->replies, 0, sizeof(shared->replies));
	device->admin.tail = 0;
	ena_os_write_barrier();
	ena_write_address(device, ENA_HW_AQ_BASE_LOW, ENA_SHARED_ADDRESS(device, commands));
	ena_write_address(device, ENA_HW_ACQ_BASE_LOW, ENA_SHARED_ADDRESS(device, replies));
	ena_os_write(device->os, ENA_HW_AQ_CAPS, caps);
	ena_os_write(device->os, ENA_HW_ACQ_CAPS, caps);
	device->admin.alive = true;
	ena_os_unlock(device->os);
}

void ena_admin_stop(struct ena_device *device)
{
	ena_os_lock(device->os);
	device->admin.alive = false;
	ena_os_unlock(device->os);
}

/* Wait until the flags byte of the reply carries our phase. Each wait ends with the interrupt or,
 * where there is none or it got lost, a little later by itself. */
static int ena_wait_for_reply(struct ena_device *device, const struct ena_hw_reply *slot,
			      uint8_t phase)
{
	uint64_t deadline = ena_os_now(device->os) + device->admin.timeout;
	uint32_t interrupts = ENA_LOAD_ACQUIRE(device->interrupts), pause = WAIT_MIN_US;

	for (bool late = false; (ENA_READ_ONCE(slot->flags) & ENA_HW_PHASE) != phase;) {
		if (late)
			return ENA_E_TIMEOUT;
		ena_os_wait(device->os, pause);
		pause = ena_min(2 * pause, WAIT_MAX_US);
		late = ena_os_now(device->os) >= deadline;
	}
	ena_os_read_barrier();
	/* The longest wait was reached, the answer is here and its interrupt is not. */
	bool silent = ENA_LOAD_ACQUIRE(device->interrupts) == interrupts;
	if (device->started && device->config.vectors && pause == WAIT_MAX_US && silent &&
	    !device->stats.admin_lost_interrupts++)
		ena_warn(device, "an admin interrupt got lost; polling for such answers");
	return 0;
}

static int ena_admin_run_locked(struct ena_device *device, struct ena_hw_command *command,
				struct ena_hw_reply *reply)
{
	struct ena_shared *shared = device->shared.memory;
	uint16_t slot = device->admin.tail % DEPTH;
	uint8_t phase = ena_phase(device->admin.tail, DEPTH);

	if (!device->admin.alive)
		return ENA_E_DOWN;
	device->stats.admin_commands++;
	command->id = ENA_LE16(slot);
	command->flags |= phase;
	shared->commands[slot] = *command;
	ena_os_write_barrier();
	ena_os_write(device->os, ENA_HW_AQ_DOORBELL, ++device->admin.tail);

	int error = ena_wait_for_reply(device, &shared->replies[slot], phase);
	*reply = ENA_READ_ONCE(shared->replies[slot]);
	if (!error && (ENA_U16(reply->id) & ENA_HW_COMMAND_ID) != slot)
		error = ENA_E_DEVICE;
	if (error) {
		device->admin.alive = false;
		device->stats.admin_timeouts += error == ENA_E_TIMEOUT;
		device->stats.admin_stray += error == ENA_E_DEVICE;
		ena_device_error(device, "no or a wrong answer to admin command", command->opcode);
		ena_want_reset(device, ENA_HW_RESET_ADMIN_TIMEOUT);
		return error;
	}
	return reply->status == ENA_HW_OK           ? 0 :
	       reply->status == ENA_HW_UNSUPPORTED  ? ENA_E_UNSUPPORTED :
	       reply->status == ENA_HW_NO_RESOURCES ? ENA_E_MEMORY : ENA_E_REFUSED;
}

int ena_admin_run(struct ena_device *device, struct ena_hw_command *command,
		  struct ena_hw_reply *reply)
{
	ena_os_lock(device->os);
	int error = ena_admin_run_locked(device, command, reply);
	ena_os_unlock(device->os);
	if (error == ENA_E_REFUSED)
		ena_warn(device, "admin command %d refused: status %d, extended 0x%x",
			 command->opcode, reply->status, reply->extended_status);
	return error;
}

int ena_ignore_unsupported(int error)
{
	return error == ENA_E_UNSUPPORTED || error == ENA_E_REFUSED ? 0 : error;
}

int ena_get_feature(struct ena_device *device, uint8_t number, union ena_hw_feature *feature)
{
	struct ena_hw_command command = { .opcode = ENA_HW_GET_FEATURE, .feature = {
		.number = number, .version = number == ENA_HW_F_QUEUES_EXT } };
	struct ena_hw_reply reply;
	int error = ENA_E_UNSUPPORTED;

	if (ena_has_feature(device, number))
		error = ena_admin_run(device, &command, &reply);
	*feature = error ? (union ena_hw_feature){ 0 } : reply.feature;
	return error;
}

int ena_set_feature(struct ena_device *device, uint8_t number, const union ena_hw_feature *feature,
		    uint32_t control_length)
{
	struct ena_hw_command command = { .opcode = ENA_HW_SET_FEATURE,
					  .feature = { .number = number, .set = *feature } };
	struct ena_hw_reply reply;

	if (control_length) {
		command.flags = ENA_HW_AQ_INDIRECT;
		command.feature.control_length = ENA_LE32(control_length);
		command.feature.control = ena_hw_address(ENA_SHARED_ADDRESS(device, table));
	}
	return ena_admin_run(device, &command, &reply);
}

/* May run beside the life cycle; the admin queue's lock keeps them apart. */
int ena_get_allowances(struct ena_device *device, struct ena_allowances *allowances)
{
	struct ena_hw_command command = { .opcode = ENA_HW_GET_STATS, .stats = {
		.type = ENA_HW_STATS_ENI, .scope = 1, .device = ENA_LE16(0xffff) } };
	struct ena_hw_reply reply;

	if (!(device->capabilities & ENA_HW_CAN_ENI_STATS))
		return ENA_E_UNSUPPORTED;
	int error = ena_admin_run(device, &command, &reply);
	if (!error)
		__builtin_memcpy(allowances, reply.allowances, sizeof(*allowances));
	return error;
}
