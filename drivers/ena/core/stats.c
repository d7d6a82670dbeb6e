/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of the counters, for whatever a system shows them with; and the device's own. */
#include "ena_internal.h"

#define DEVICE(field) { #field, offsetof(struct ena_device_stats, field) }
#define TX(field) { #field, offsetof(struct ena_tx_stats, field) }
#define RX(field) { #field, offsetof(struct ena_rx_stats, field) }
#define ALLOWANCE(field) { #field "_allowance_exceeded", offsetof(struct ena_allowances, field) }

const struct ena_stat_name ena_device_stat_names[] = {
	DEVICE(resets), DEVICE(failed_recoveries), DEVICE(read_timeouts), DEVICE(admin_commands),
	DEVICE(admin_timeouts), DEVICE(admin_lost_interrupts), DEVICE(admin_stray),
	DEVICE(events), DEVICE(bad_events), DEVICE(keep_alives), DEVICE(lost_interrupts),
	DEVICE(link_changes), DEVICE(device_tx_drops), DEVICE(device_rx_drops),
	DEVICE(device_rx_overruns),
};

const struct ena_stat_name ena_tx_stat_names[] = {
	TX(packets), TX(bytes), TX(doorbells), TX(llq_entries), TX(meta_descs), TX(full),
	TX(refused), TX(completions), TX(bad_completions),
};

const struct ena_stat_name ena_rx_stat_names[] = {
	RX(packets), RX(bytes), RX(checksum_good), RX(multi_buffer), RX(posted), RX(doorbells),
	RX(bad_completions),
};

const struct ena_stat_name ena_allowance_names[] = {
	ALLOWANCE(bw_in), ALLOWANCE(bw_out), ALLOWANCE(pps), ALLOWANCE(conntrack),
	ALLOWANCE(linklocal),
};

const unsigned int ena_device_stat_count = ENA_COUNT(ena_device_stat_names);
const unsigned int ena_tx_stat_count = ENA_COUNT(ena_tx_stat_names);
const unsigned int ena_rx_stat_count = ENA_COUNT(ena_rx_stat_names);
const unsigned int ena_allowance_count = ENA_COUNT(ena_allowance_names);

/* May run beside the life cycle; the admin queue's lock keeps them apart. */
int ena_get_allowances(struct ena_device *device, struct ena_allowances *allowances)
{
	struct ena_hw_get_stats command = {
		.opcode = ENA_HW_GET_STATS,
		.type = ENA_HW_STATS_ENI,
		.scope = 1,
		.device = 0xffff,
	};
	struct ena_hw_reply reply;
	int error;

	if (!(device->capabilities & ENA_HW_CAN_ENI_STATS))
		return ENA_E_UNSUPPORTED;
	error = ena_admin_run(device, &command, &reply);
	if (!error)
		ena_copy(allowances, reply.payload, sizeof(*allowances));
	return error;
}
