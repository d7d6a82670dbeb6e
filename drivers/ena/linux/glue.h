/* SPDX-License-Identifier: BSD-3-Clause */
/* The Linux binding: one card as PCI device and network interface. */
#ifndef GLUE_H
#define GLUE_H

#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../core/ena.h"

struct page_pool;

/* What belongs to an id of a TX queue: the packet and its mapped pieces. */
struct tx_packet {
	struct sk_buff *skb;
	unsigned int pieces;
	struct ena_segment piece[ENA_MAX_SEGMENTS];
};

struct pair {
	struct ena_os *os;
	struct ena_tx *tx;
	struct ena_rx *rx;
	struct napi_struct napi;
	u16 number;
	int irq; /* 0: not requested */
	char irq_name[IFNAMSIZ + 16];
	struct tx_packet *packets; /* by TX id */
	struct page **pages;       /* by RX id */
	struct page_pool *pool;
	u8 header[ENA_MAX_PUSH];   /* of a packet whose headers are scattered */
	u64 tx_dropped, rx_no_memory;
};

struct ena_os {
	struct pci_dev *pdev;
	struct net_device *netdev;
	void __iomem *registers;
	void __iomem *llq;
	struct ena_device ena;
	struct mutex admin_lock;
	wait_queue_head_t wait;
	int woken;
	int irq; /* of vector 0 */
	struct work_struct recovery;
	struct delayed_work watchdog;
	bool removing;
	bool traffic;    /* queues, interrupts and NAPI are on */
	u16 wanted_pairs, tx_depth, rx_depth;
	u16 pairs;       /* in use */
	u16 tx_delay, rx_delay; /* microseconds */
	struct pair *pair;
};

extern const struct net_device_ops ena_netdev_ops;
extern const struct ethtool_ops ena_ethtool_ops;

/* net.c: life cycle; the caller holds the RTNL lock. */
int ena_traffic_start(struct ena_os *os);
void ena_traffic_stop(struct ena_os *os);
void ena_recovery(struct work_struct *work);
void ena_watchdog_work(struct work_struct *work);

/* tx.c, rx.c */
netdev_tx_t ena_xmit(struct sk_buff *skb, struct net_device *netdev);
int ena_tx_poll(struct pair *pair);
void ena_tx_release(struct pair *pair, u16 depth);
int ena_rx_start(struct pair *pair, u16 depth);
int ena_rx_poll(struct pair *pair, int budget);
void ena_rx_fill(struct pair *pair);
void ena_rx_release(struct pair *pair, u16 depth);
void ena_rx_stop(struct pair *pair);

#endif
