// SPDX-License-Identifier: BSD-3-Clause
/* ethtool: statistics, channels, rings, delays, the RSS table. */
#include <linux/ethtool.h>
#include <linux/version.h>

#include "ena_linux.h"

#define NAME(field) #field,
#define ALLOWANCE(field) #field "_allowance_exceeded",
static const char *const ena_linux_device_names[] = {
	ENA_DEVICE_STATS(NAME) ENA_ALLOWANCES(ALLOWANCE)
};
static const char *const ena_linux_tx_names[] = { ENA_TX_STATS(NAME) "dropped" };
static const char *const ena_linux_rx_names[] = { ENA_RX_STATS(NAME) "no_memory" };

static int ena_linux_get_sset_count(struct net_device *netdev, int set)
{
	const struct ena_os *os = netdev_priv(netdev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return ARRAY_SIZE(ena_linux_device_names) +
	       os->ena.limits.max_pairs *
		       (ARRAY_SIZE(ena_linux_tx_names) + ARRAY_SIZE(ena_linux_rx_names));
}

static void ena_linux_copy_names(u8 **at, const char *prefix, const char *const *name,
				 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++, *at += ETH_GSTRING_LEN)
		snprintf(*at, ETH_GSTRING_LEN, "%s%s", prefix, name[i]);
}

static void ena_linux_get_strings(struct net_device *netdev, u32 set, u8 *at)
{
	const struct ena_os *os = netdev_priv(netdev);
	char prefix[8];

	if (set != ETH_SS_STATS)
		return;
	ena_linux_copy_names(&at, "", ena_linux_device_names, ARRAY_SIZE(ena_linux_device_names));
	for (u16 i = 0; i < os->ena.limits.max_pairs; i++) {
		snprintf(prefix, sizeof(prefix), "tx%u_", i);
		ena_linux_copy_names(&at, prefix, ena_linux_tx_names,
				     ARRAY_SIZE(ena_linux_tx_names));
		snprintf(prefix, sizeof(prefix), "rx%u_", i);
		ena_linux_copy_names(&at, prefix, ena_linux_rx_names,
				     ARRAY_SIZE(ena_linux_rx_names));
	}
}

static void ena_linux_copy_counters(u64 **at, const void *counters, size_t size)
{
	for (const u64 *counter = counters; size; size -= sizeof(u64))
		*(*at)++ = READ_ONCE(*counter++);
}

static void ena_linux_get_ethtool_stats(struct net_device *netdev, struct ethtool_stats *stats,
					u64 *at)
{
	struct ena_os *os = netdev_priv(netdev);
	struct ena_allowances allowances = {};

	ena_get_allowances(&os->ena, &allowances); /* zeros where the card has none */
	ena_linux_copy_counters(&at, &os->ena.stats, sizeof(os->ena.stats));
	ena_linux_copy_counters(&at, &allowances, sizeof(allowances));
	for (u16 i = 0; i < os->ena.limits.max_pairs; i++) {
		const struct ena_pair *pair = &os->ena.pair[i];

		ena_linux_copy_counters(&at, &pair->tx.stats, sizeof(pair->tx.stats));
		*at++ = os->pair[i].tx_dropped;
		ena_linux_copy_counters(&at, &pair->rx.stats, sizeof(pair->rx.stats));
		*at++ = os->pair[i].rx_no_memory;
	}
}

static void ena_linux_get_channels(struct net_device *netdev, struct ethtool_channels *channels)
{
	const struct ena_os *os = netdev_priv(netdev);

	channels->max_combined = os->ena.limits.max_pairs;
	channels->combined_count = os->wanted_pairs;
}

/* Change what queues are made of: down, change, up; and back if the device does not like it. */
static int ena_linux_reconfigure(struct ena_os *os, u16 pairs, u16 tx_depth, u16 rx_depth)
{
	u16 before[] = { os->wanted_pairs, os->tx_depth, os->rx_depth };
	bool running = netif_running(os->netdev);
	int error = 0;

	if (running)
		ena_linux_down(os);
	os->wanted_pairs = pairs;
	os->tx_depth = tx_depth;
	os->rx_depth = rx_depth;
	if (running)
		error = ena_linux_up(os);
	if (error) {
		os->wanted_pairs = before[0];
		os->tx_depth = before[1];
		os->rx_depth = before[2];
		if (ena_linux_up(os))
			netdev_err(os->netdev, "the queues could not be made again\n");
	}
	return error;
}

static int ena_linux_set_channels(struct net_device *netdev, struct ethtool_channels *channels)
{
	struct ena_os *os = netdev_priv(netdev);

	if (!channels->combined_count || channels->rx_count || channels->tx_count)
		return -EINVAL;
	return ena_linux_reconfigure(os, channels->combined_count, os->tx_depth, os->rx_depth);
}

static void ena_linux_get_ringparam(struct net_device *netdev, struct ethtool_ringparam *ring,
				    struct kernel_ethtool_ringparam *kernel,
				    struct netlink_ext_ack *ack)
{
	const struct ena_os *os = netdev_priv(netdev);

	ring->tx_max_pending = os->ena.limits.max_tx_depth;
	ring->rx_max_pending = os->ena.limits.max_rx_depth;
	ring->tx_pending = os->tx_depth;
	ring->rx_pending = os->rx_depth;
}

static int ena_linux_set_ringparam(struct net_device *netdev, struct ethtool_ringparam *ring,
				   struct kernel_ethtool_ringparam *kernel,
				   struct netlink_ext_ack *ack)
{
	struct ena_os *os = netdev_priv(netdev);
	u32 tx = max_t(u32, ring->tx_pending, ENA_MIN_DEPTH);
	u32 rx = max_t(u32, ring->rx_pending, ENA_MIN_DEPTH);

	return ena_linux_reconfigure(os, os->wanted_pairs, rounddown_pow_of_two(tx),
				     rounddown_pow_of_two(rx));
}

static int ena_linux_get_coalesce(struct net_device *netdev, struct ethtool_coalesce *coalesce,
				  struct kernel_ethtool_coalesce *kernel,
				  struct netlink_ext_ack *ack)
{
	const struct ena_os *os = netdev_priv(netdev);

	coalesce->tx_coalesce_usecs = os->tx_delay;
	coalesce->rx_coalesce_usecs = os->rx_delay;
	return 0;
}

static int ena_linux_set_coalesce(struct net_device *netdev, struct ethtool_coalesce *coalesce,
				  struct kernel_ethtool_coalesce *kernel,
				  struct netlink_ext_ack *ack)
{
	struct ena_os *os = netdev_priv(netdev);

	if (!os->ena.limits.delay_unit)
		return -EOPNOTSUPP;
	/* In force from each queue's next interrupt on. */
	os->tx_delay = min_t(u32, coalesce->tx_coalesce_usecs, ENA_MAX_DELAY);
	os->rx_delay = min_t(u32, coalesce->rx_coalesce_usecs, ENA_MAX_DELAY);
	return 0;
}

static u32 ena_linux_get_rxfh_indir_size(struct net_device *netdev)
{
	const struct ena_os *os = netdev_priv(netdev);

	return os->ena.limits.table_size;
}

static int ena_linux_get_table(struct ena_os *os, u32 *table)
{
	for (u16 i = 0; table && i < os->ena.limits.table_size; i++)
		table[i] = os->ena.table[i];
	return 0;
}

static int ena_linux_set_table(struct ena_os *os, const u32 *table)
{
	u16 pairs[ENA_MAX_TABLE];

	if (!table)
		return -EOPNOTSUPP;
	for (u16 i = 0; i < os->ena.limits.table_size; i++)
		pairs[i] = table[i];
	return ena_set_table(&os->ena, pairs) ? -EIO : 0;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
static int ena_linux_get_rxfh(struct net_device *netdev, struct ethtool_rxfh_param *rxfh)
{
	return ena_linux_get_table(netdev_priv(netdev), rxfh->indir);
}

static int ena_linux_set_rxfh(struct net_device *netdev, struct ethtool_rxfh_param *rxfh,
			      struct netlink_ext_ack *ack)
{
	return rxfh->key ? -EOPNOTSUPP : ena_linux_set_table(netdev_priv(netdev), rxfh->indir);
}
#else
static int ena_linux_get_rxfh(struct net_device *netdev, u32 *table, u8 *key, u8 *function)
{
	return ena_linux_get_table(netdev_priv(netdev), table);
}

static int ena_linux_set_rxfh(struct net_device *netdev, const u32 *table, const u8 *key,
			      const u8 function)
{
	return key ? -EOPNOTSUPP : ena_linux_set_table(netdev_priv(netdev), table);
}
#endif

static int ena_linux_get_rxnfc(struct net_device *netdev, struct ethtool_rxnfc *info, u32 *rules)
{
	const struct ena_os *os = netdev_priv(netdev);

	if (info->cmd != ETHTOOL_GRXRINGS)
		return -EOPNOTSUPP;
	info->data = os->wanted_pairs;
	return 0;
}

/* Only the whole device: `ethtool --reset IFACE all`. */
static int ena_linux_ethtool_reset(struct net_device *netdev, u32 *flags)
{
	struct ena_os *os = netdev_priv(netdev);

	ena_want_reset(&os->ena, ENA_HW_RESET_USER);
	*flags = 0;
	return 0;
}

const struct ethtool_ops ena_linux_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_USECS | ETHTOOL_COALESCE_TX_USECS,
	.get_link = ethtool_op_get_link,
	.get_ts_info = ethtool_op_get_ts_info,
	.get_sset_count = ena_linux_get_sset_count,
	.get_strings = ena_linux_get_strings,
	.get_ethtool_stats = ena_linux_get_ethtool_stats,
	.get_channels = ena_linux_get_channels,
	.set_channels = ena_linux_set_channels,
	.get_ringparam = ena_linux_get_ringparam,
	.set_ringparam = ena_linux_set_ringparam,
	.get_coalesce = ena_linux_get_coalesce,
	.set_coalesce = ena_linux_set_coalesce,
	.get_rxnfc = ena_linux_get_rxnfc,
	.get_rxfh_indir_size = ena_linux_get_rxfh_indir_size,
	.get_rxfh = ena_linux_get_rxfh,
	.set_rxfh = ena_linux_set_rxfh,
	.reset = ena_linux_ethtool_reset,
};
