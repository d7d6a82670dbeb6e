// SPDX-License-Identifier: BSD-3-Clause
/* The network interface: up and down, interrupts, recovery. */
#include <linux/etherdevice.h>
#include <linux/interrupt.h>
#include <linux/rtnetlink.h>

#include "ena_linux.h"

#define UP_TRIES 3
#define RETRY_TICKS 10 /* seconds between attempts to create queues for an interface that is up */

static irqreturn_t ena_linux_pair_interrupt(int irq, void *argument)
{
	struct ena_linux_pair *pair = argument;

	napi_schedule_irqoff(&pair->napi);
	return IRQ_HANDLED;
}

static int ena_linux_poll(struct napi_struct *napi, int budget)
{
	struct ena_linux_pair *pair = container_of(napi, struct ena_linux_pair, napi);
	struct ena_os *os = pair->os;
	int sent = ena_linux_tx_poll(pair, budget);
	int received = budget ? ena_linux_rx_poll(pair, budget) : 0;

	/* A reset is due; it unmasks the interrupt. */
	if (sent < 0 || received < 0) {
		napi_complete(napi);
		return 0;
	}
	if (received < budget && napi_complete_done(napi, received))
		ena_unmask(&os->ena, pair->number, os->rx_delay, os->tx_delay);
	return received;
}

static void ena_linux_free_pair(struct ena_linux_pair *pair)
{
	if (pair->irq) {
		irq_update_affinity_hint(pair->irq, NULL);
		free_irq(pair->irq, pair);
	}
	pair->irq = 0;
	ena_linux_rx_stop(pair);
	kvfree(pair->packets);
	kvfree(pair->pages);
	pair->packets = NULL;
	pair->pages = NULL;
	netif_napi_del(&pair->napi);
}

static int ena_linux_allocate_pair(struct ena_os *os, u16 number)
{
	struct ena_linux_pair *pair = &os->pair[number];
	int error;

	pair->os = os;
	pair->number = number;
	pair->tx = &os->ena.pair[number].tx;
	pair->rx = &os->ena.pair[number].rx;
	netif_napi_add(os->netdev, &pair->napi, ena_linux_poll);
	pair->packets = kvcalloc(os->tx_depth, sizeof(*pair->packets), GFP_KERNEL);
	pair->pages = kvcalloc(os->rx_depth, sizeof(*pair->pages), GFP_KERNEL);
	error = pair->packets && pair->pages ? ena_linux_rx_start(pair, os->rx_depth) : -ENOMEM;
	if (!error) {
		int irq = pci_irq_vector(os->pdev, number + 1);

		snprintf(pair->irq_name, sizeof(pair->irq_name), "%s-TxRx-%u", os->netdev->name,
			 number);
		error = request_irq(irq, ena_linux_pair_interrupt, 0, pair->irq_name, pair);
		if (!error) {
			int node = dev_to_node(&os->pdev->dev);
			unsigned int cpu = cpumask_local_spread(number, node);

			pair->irq = irq;
			irq_set_affinity_and_hint(irq, cpumask_of(cpu));
			netif_set_xps_queue(os->netdev, cpumask_of(cpu), number);
		}
	}
	return error;
}

/* A carrier is what a cable and queues make. Called by interrupts and by the life cycle. */
void ena_linux_update_carrier(struct ena_os *os)
{
	unsigned long flags;

	spin_lock_irqsave(&os->carrier_lock, flags);
	if (READ_ONCE(os->link) && READ_ONCE(os->traffic))
		netif_carrier_on(os->netdev);
	else
		netif_carrier_off(os->netdev);
	spin_unlock_irqrestore(&os->carrier_lock, flags);
}

/* Queues in the device, buffers in the queues, interrupts on. */
static int ena_linux_bring_up(struct ena_os *os)
{
	int error;

	/* A table that the user did not set follows the number of queues. */
	if (!netif_is_rxfh_configured(os->netdev))
		ena_set_table(&os->ena, NULL);
	error = ena_up(&os->ena, os->pairs, os->tx_depth, os->rx_depth);
	if (error)
		return error == ENA_E_MEMORY ? -ENOMEM : -EIO;
	for (u16 i = 0; i < os->pairs; i++) {
		ena_linux_rx_fill(&os->pair[i]);
		napi_enable(&os->pair[i].napi);
	}
	WRITE_ONCE(os->traffic, true);
	for (u16 i = 0; i < os->pairs; i++) {
		ena_unmask(&os->ena, i, os->rx_delay, os->tx_delay);
		ena_os_want_poll(os, i); /* an interrupt may be lost from before */
	}
	netif_tx_wake_all_queues(os->netdev);
	ena_linux_update_carrier(os);
	os->idle_ticks = 0;
	return 0;
}

/* Nothing of ours runs any more but the management interrupt. */
static void ena_linux_stop_traffic(struct ena_os *os)
{
	WRITE_ONCE(os->traffic, false);
	/* First: the kernel takes a queue that stands still under a carrier for a hung device. */
	ena_linux_update_carrier(os);
	/* In this order: a poll that still runs may wake a TX queue. */
	for (u16 i = 0; i < os->pairs; i++)
		napi_disable(&os->pair[i].napi);
	netif_tx_disable(os->netdev);
}

static void ena_linux_release_packets(struct ena_os *os)
{
	for (u16 i = 0; i < os->pairs; i++) {
		ena_linux_tx_release(&os->pair[i], os->tx_depth);
		ena_linux_rx_release(&os->pair[i], os->rx_depth);
	}
}

int ena_linux_up(struct ena_os *os)
{
	int error = 0;
	u16 made = 0;

	os->pairs = os->wanted_pairs;
	while (made < os->pairs && !error)
		error = ena_linux_allocate_pair(os, made++);
	if (!error)
		error = netif_set_real_num_tx_queues(os->netdev, os->pairs);
	if (!error)
		error = netif_set_real_num_rx_queues(os->netdev, os->pairs);
	if (!error)
		error = ena_linux_bring_up(os);
	while (error && made)
		ena_linux_free_pair(&os->pair[--made]);
	return error;
}

void ena_linux_down(struct ena_os *os)
{
	if (os->traffic) {
		ena_linux_stop_traffic(os);
		ena_down(&os->ena);
		ena_linux_release_packets(os);
	}
	for (u16 i = 0; i < os->pairs; i++)
		if (os->pair[i].packets)
			ena_linux_free_pair(&os->pair[i]);
}

/* The core wants a reset. Interrupts and memory of the pairs stay, the device starts anew. */
void ena_linux_recover(struct work_struct *work)
{
	struct ena_os *os = container_of(work, struct ena_os, recovery);
	const char *outcome = "";
	int error = -EIO;

	rtnl_lock();
	if (os->removing)
		goto out;
	if (os->traffic)
		ena_linux_stop_traffic(os);
	for (int i = 0; i < UP_TRIES && error; i++) {
		ena_halt(&os->ena);
		WRITE_ONCE(os->link, false); /* until the device says otherwise */
		if (os->pair[0].packets)
			ena_linux_release_packets(os);
		error = ena_recover(&os->ena);
		if (error) {
			outcome = "is given up; reload the driver to try again";
			break;
		}
		if (!netif_running(os->netdev))
			continue;
		/* Without pairs, an earlier attempt to create queues has failed. */
		error = os->pair[0].packets ? ena_linux_bring_up(os) : ena_linux_up(os);
		if (error)
			outcome = "creates no queues; trying again soon";
	}
	if (!error)
		outcome = "was reset";
	netdev_printk(error ? KERN_ERR : KERN_INFO, os->netdev, "the device %s\n", outcome);
out:
	rtnl_unlock();
}

void ena_linux_watchdog(struct work_struct *work)
{
	struct ena_os *os = container_of(to_delayed_work(work), struct ena_os, watchdog);

	/* Whoever holds the lock changes what the watchdog looks at: look a second later. */
	if (rtnl_trylock()) {
		ena_watchdog(&os->ena);
		if (netif_running(os->netdev) && !os->traffic && ++os->idle_ticks >= RETRY_TICKS) {
			os->idle_ticks = 0;
			ena_want_reset(&os->ena, ENA_HW_RESET_DRIVER_STATE);
		}
		rtnl_unlock();
	}
	schedule_delayed_work(&os->watchdog, HZ);
}

static int ena_linux_open(struct net_device *netdev)
{
	return ena_linux_up(netdev_priv(netdev));
}

static int ena_linux_stop(struct net_device *netdev)
{
	ena_linux_down(netdev_priv(netdev));
	return 0;
}

static int ena_linux_change_mtu(struct net_device *netdev, int mtu)
{
	struct ena_os *os = netdev_priv(netdev);

	if (ena_set_mtu(&os->ena, mtu))
		return -EIO;
	WRITE_ONCE(netdev->mtu, mtu);
	return 0;
}

static void ena_linux_tx_timeout(struct net_device *netdev, unsigned int queue)
{
	struct ena_os *os = netdev_priv(netdev);

	netdev_err(netdev, "TX queue %u stands still\n", queue);
	ena_want_reset(&os->ena, ENA_HW_RESET_OS_WATCHDOG);
}

static void ena_linux_get_stats64(struct net_device *netdev, struct rtnl_link_stats64 *stats)
{
	const struct ena_os *os = netdev_priv(netdev);

	for (u16 i = 0; i < os->ena.limits.max_pairs; i++) {
		const struct ena_tx_stats *tx = &os->ena.pair[i].tx.stats;
		const struct ena_rx_stats *rx = &os->ena.pair[i].rx.stats;

		stats->tx_packets += READ_ONCE(tx->packets);
		stats->tx_bytes += READ_ONCE(tx->bytes);
		stats->rx_packets += READ_ONCE(rx->packets);
		stats->rx_bytes += READ_ONCE(rx->bytes);
		stats->tx_dropped += os->pair[i].tx_dropped;
		stats->rx_dropped += os->pair[i].rx_no_memory;
	}
	stats->rx_missed_errors = os->ena.stats.device_rx_drops;
	stats->tx_dropped += os->ena.stats.device_tx_drops;
}

const struct net_device_ops ena_linux_netdev_ops = {
	.ndo_open = ena_linux_open,
	.ndo_stop = ena_linux_stop,
	.ndo_start_xmit = ena_linux_xmit,
	.ndo_tx_timeout = ena_linux_tx_timeout,
	.ndo_change_mtu = ena_linux_change_mtu,
	.ndo_get_stats64 = ena_linux_get_stats64,
	.ndo_validate_addr = eth_validate_addr,
};
