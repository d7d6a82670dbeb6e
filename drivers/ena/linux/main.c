// SPDX-License-Identifier: BSD-3-Clause
/* The module: finds cards and gives each a network interface. */
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/utsname.h>

#include "ena_linux.h"

#define OS_LINUX 1
#define DEFAULT_DEPTH 1024
/* Packets that come close together share an interrupt. Freeing what was sent can wait for the next
 * packet received: Amazon's driver gives it 64 us, in which it often does not come. */
#define RX_DELAY_US 20
#define TX_DELAY_US 128

static bool llq = true;
module_param(llq, bool, 0444);
MODULE_PARM_DESC(llq, "keep TX rings in the device where it can (default: on)");

static irqreturn_t ena_linux_management_interrupt(int irq, void *argument)
{
	struct ena_os *os = argument;

	ena_interrupt(&os->ena);
	return IRQ_HANDLED;
}

static int ena_linux_map_registers(struct ena_os *os)
{
	struct pci_dev *pdev = os->pdev;
	int error = pcim_enable_device(pdev);

	if (!error)
		error = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(48));
	if (!error)
		error = pci_request_regions(pdev, KBUILD_MODNAME);
	if (error)
		return error;
	os->registers = devm_ioremap(&pdev->dev, pci_resource_start(pdev, 0),
				     pci_resource_len(pdev, 0));
	if (pci_resource_len(pdev, 2))
		os->llq = devm_ioremap_wc(&pdev->dev, pci_resource_start(pdev, 2),
					  pci_resource_len(pdev, 2));
	return os->registers ? 0 : -ENOMEM;
}

/* One vector for the device, one for each pair. */
static int ena_linux_request_vectors(struct ena_os *os)
{
	int wanted = 1 + min_t(int, num_online_cpus(), ENA_MAX_PAIRS);
	int vectors = pci_alloc_irq_vectors(os->pdev, 2, wanted, PCI_IRQ_MSIX);
	int irq, error;

	if (vectors < 0)
		return vectors;
	irq = pci_irq_vector(os->pdev, 0);
	error = request_irq(irq, ena_linux_management_interrupt, 0, pci_name(os->pdev), os);
	if (error) {
		pci_free_irq_vectors(os->pdev);
		return error;
	}
	os->irq = irq;
	return vectors;
}

static int ena_linux_attach(struct ena_os *os, int vectors)
{
	struct pci_dev *pdev = os->pdev;
	struct ena_config config = {
		.os = os,
		.register_bytes = pci_resource_len(pdev, 0),
		.llq_bytes = os->llq ? pci_resource_len(pdev, 2) : 0,
		.plain_reads = pdev->revision & 1,
		.pci_address = pci_dev_id(pdev),
		.vectors = vectors,
		.cpus = num_online_cpus(),
		.os_type = OS_LINUX,
		.os_name = "Linux",
		.os_version = utsname()->release,
		.no_llq = !llq,
	};
	int error;

	netdev_rss_key_fill(config.hash_key, sizeof(config.hash_key));
	error = ena_attach(&os->ena, &config);
	return error == ENA_E_MEMORY ? -ENOMEM : error ? -EIO : 0;
}

static netdev_features_t ena_linux_features(const struct ena_limits *limits)
{
	netdev_features_t features = NETIF_F_SG | NETIF_F_HIGHDMA;

	features |= limits->offloads & ENA_TX_CSUM_IP4 ? NETIF_F_IP_CSUM : 0;
	features |= limits->offloads & ENA_TX_CSUM_IP6 ? NETIF_F_IPV6_CSUM : 0;
	features |= limits->offloads & ENA_TX_TSO_IP4 ? NETIF_F_TSO | NETIF_F_TSO_ECN : 0;
	features |= limits->offloads & ENA_TX_TSO_IP6 ? NETIF_F_TSO6 : 0;
	features |= limits->offloads & ENA_RX_CSUM_IP4 ? NETIF_F_RXCSUM : 0;
	features |= limits->offloads & ENA_RX_HASH ? NETIF_F_RXHASH : 0;
	return features;
}

static void ena_linux_init_netdev(struct ena_os *os)
{
	const struct ena_limits *limits = &os->ena.limits;
	struct net_device *netdev = os->netdev;

	netdev->netdev_ops = &ena_linux_netdev_ops;
	netdev->ethtool_ops = &ena_linux_ethtool_ops;
	netdev->watchdog_timeo = 10 * HZ;
	netdev->min_mtu = ENA_MIN_MTU;
	netdev->max_mtu = limits->max_mtu;
	netdev->hw_features = ena_linux_features(limits);
	netdev->features = netdev->hw_features;
	netdev->vlan_features = netdev->hw_features;
	eth_hw_addr_set(netdev, limits->mac);
	os->wanted_pairs = limits->max_pairs;
	os->tx_depth = min_t(u16, limits->max_tx_depth, DEFAULT_DEPTH);
	os->rx_depth = min_t(u16, limits->max_rx_depth, DEFAULT_DEPTH);
	os->rx_delay = RX_DELAY_US;
	os->tx_delay = TX_DELAY_US;
}

static int ena_linux_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct net_device *netdev = alloc_etherdev_mq(sizeof(struct ena_os), ENA_MAX_PAIRS);
	struct ena_os *os;
	int error;

	if (!netdev)
		return -ENOMEM;
	os = netdev_priv(netdev);
	os->pdev = pdev;
	os->netdev = netdev;
	os->ena.os = os; /* an interrupt may come before ena_attach */
	SET_NETDEV_DEV(netdev, &pdev->dev);
	netif_carrier_off(netdev); /* until the device says otherwise, maybe during ena_attach */
	pci_set_drvdata(pdev, os);
	mutex_init(&os->admin_lock);
	spin_lock_init(&os->carrier_lock);
	init_waitqueue_head(&os->wait);
	INIT_WORK(&os->recovery, ena_linux_recover);
	INIT_DELAYED_WORK(&os->watchdog, ena_linux_watchdog);

	os->pair = kvcalloc(ENA_MAX_PAIRS, sizeof(*os->pair), GFP_KERNEL);
	error = os->pair ? ena_linux_map_registers(os) : -ENOMEM;
	if (error)
		goto err_memory;
	error = ena_linux_request_vectors(os);
	if (error < 0)
		goto err_memory;
	error = ena_linux_attach(os, error);
	if (error)
		goto err_vectors;
	ena_linux_init_netdev(os);
	error = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(os->ena.address_bits));
	if (!error)
		error = register_netdev(netdev);
	if (error)
		goto err_attached;
	schedule_delayed_work(&os->watchdog, HZ);
	netdev_info(netdev, "ENA %pM, %u queues of %u and %u, %s\n", os->ena.limits.mac,
		    os->wanted_pairs, os->tx_depth, os->rx_depth,
		    os->ena.llq.on ? "LLQ" : "no LLQ");
	return 0;

err_attached:
	rtnl_lock();
	os->removing = true;
	rtnl_unlock();
	ena_detach(&os->ena);
err_vectors:
	free_irq(os->irq, os);
	cancel_work_sync(&os->recovery);
	pci_free_irq_vectors(pdev);
err_memory:
	kvfree(os->pair);
	free_netdev(netdev);
	return error;
}

static void ena_linux_remove(struct pci_dev *pdev)
{
	struct ena_os *os = pci_get_drvdata(pdev);

	rtnl_lock();
	os->removing = true;
	rtnl_unlock();
	cancel_delayed_work_sync(&os->watchdog);
	unregister_netdev(os->netdev);
	ena_detach(&os->ena);
	free_irq(os->irq, os);
	cancel_work_sync(&os->recovery); /* last: the interrupt may have asked for it */
	pci_free_irq_vectors(pdev);
	kvfree(os->pair);
	free_netdev(os->netdev);
}

/* Power-off and kexec: the device must not write to memory that is someone else's then. */
static void ena_linux_shutdown(struct pci_dev *pdev)
{
	struct ena_os *os = pci_get_drvdata(pdev);

	rtnl_lock();
	os->removing = true;
	netif_device_detach(os->netdev);
	dev_close(os->netdev);
	rtnl_unlock();
	pci_clear_master(pdev);
}

static const struct pci_device_id ena_linux_ids[] = {
	{ PCI_DEVICE(0x1d0f, 0x0051) },
	{ PCI_DEVICE(0x1d0f, 0x0ec2) },
	{ PCI_DEVICE(0x1d0f, 0x1ec2) },
	{ PCI_DEVICE(0x1d0f, 0xec20) },
	{ PCI_DEVICE(0x1d0f, 0xec21) },
	{}
};
MODULE_DEVICE_TABLE(pci, ena_linux_ids);

static struct pci_driver ena_linux_driver = {
	.name = KBUILD_MODNAME,
	.id_table = ena_linux_ids,
	.probe = ena_linux_probe,
	.remove = ena_linux_remove,
	.shutdown = ena_linux_shutdown,
};
module_pci_driver(ena_linux_driver);

MODULE_DESCRIPTION("Amazon Elastic Network Adapter");
MODULE_LICENSE("Dual BSD/GPL");
