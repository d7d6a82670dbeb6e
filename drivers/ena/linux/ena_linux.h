/* SPDX-License-Identifier: BSD-3-Clause */
/* The Linux binding: one card as PCI device and network interface. */
#ifndef ENA_LINUX_H
#define ENA_LINUX_H

#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../core/ena.h"

struct page_pool;

/* What belongs to an id of a TX queue: the packet and its mapped pieces. */
struct ena_linux_tx_packet {
	struct sk_buff *skb;
	unsigned int pieces;
	struct ena_segment piece[ENA_MAX_SEGMENTS];
};

struct ena_linux_pair {
	struct ena_os *os;
	struct ena_tx *tx;
	struct ena_rx *rx;
	struct napi_struct napi;
	u16 number;
	int irq;                             /* 0: not requested */
	char irq_name[IFNAMSIZ + 16];
	struct ena_linux_tx_packet *packets; /* by TX id */
	struct page **pages;                 /* by RX id */
	struct page_pool *pool;              /* that the pages are from */
	u8 header[ENA_MAX_PUSH];             /* of a packet whose headers are scattered */
	u64 tx_dropped;                      /* packets that could not be mapped or described */
	u64 rx_no_memory;                    /* pages or packets that could not be allocated */
};

struct ena_os {
	struct pci_dev *pdev;
	struct net_device *netdev;
	void __iomem *registers;      /* BAR 0 */
	void __iomem *llq;            /* BAR 2, or NULL */
	struct ena_device ena;
	struct mutex admin_lock;
	wait_queue_head_t wait;       /* for ena_os_wait and ena_os_wake */
	int woken;                    /* a wake that nobody has waited for yet */
	int irq;                      /* of vector 0 */
	struct work_struct recovery;
	struct delayed_work watchdog;
	bool removing;                /* no recovery begins any more */
	bool traffic;                 /* queues, interrupts and NAPI are on */
	bool link;                    /* the device says that the cable is in */
	spinlock_t carrier_lock;
	unsigned int idle_ticks;      /* seconds that the interface is up without queues */
	u16 wanted_pairs;             /* as ethtool set them */
	u16 tx_depth;
	u16 rx_depth;
	u16 pairs;                    /* in use */
	u16 tx_delay;                 /* microseconds that an interrupt is held back */
	u16 rx_delay;
	struct ena_linux_pair *pair;
};

extern const struct net_device_ops ena_linux_netdev_ops;
extern const struct ethtool_ops ena_linux_ethtool_ops;

/* net.c; the caller of the first two holds the RTNL lock. */
int ena_linux_up(struct ena_os *os);
void ena_linux_down(struct ena_os *os);
void ena_linux_update_carrier(struct ena_os *os);
void ena_linux_recover(struct work_struct *work);
void ena_linux_watchdog(struct work_struct *work);

/* tx.c, rx.c */
netdev_tx_t ena_linux_xmit(struct sk_buff *skb, struct net_device *netdev);
int ena_linux_tx_poll(struct ena_linux_pair *pair, int budget);
void ena_linux_tx_release(struct ena_linux_pair *pair, u16 depth);
int ena_linux_rx_start(struct ena_linux_pair *pair, u16 depth);
int ena_linux_rx_poll(struct ena_linux_pair *pair, int budget);
void ena_linux_rx_fill(struct ena_linux_pair *pair);
void ena_linux_rx_release(struct ena_linux_pair *pair, u16 depth);
void ena_linux_rx_stop(struct ena_linux_pair *pair);

#endif
