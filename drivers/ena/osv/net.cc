/* SPDX-License-Identifier: BSD-3-Clause */
/* The network interface: up and down, requests, link, recovery. */
#include <sys/errno.h>

#include <bsd/porting/netport.h>
#include <bsd/sys/sys/param.h>
#include <bsd/sys/sys/mbuf.h>
#include <bsd/sys/net/if.h>
#include <bsd/sys/net/if_var.h>
#include <bsd/sys/net/if_types.h>
#include <bsd/sys/net/ethernet.h>
#include <osv/ioctl.h>

#include "ena_osv.hh"

#define UP_TRIES 3
#define RETRY_TICKS 10 /* seconds between attempts to create queues for an interface that is up */
#define TSO_SEGMENTS 17 /* that m_defrag makes of the largest packet */

/* Queues in the device, buffers in the queues, traffic on. */
static int ena_osv_bring_up(ena_os *os)
{
	int error = ena_up(&os->ena, os->pairs, os->tx_depth, os->rx_depth);

	for (int i = 0; i < os->pairs && !error; i++) {
		queue_pair *pair = &os->pair[i];

		WITH_LOCK(pair->sending) {
			pair->sends = true;
		}
		WITH_LOCK(pair->receiving) {
			ena_osv_rx_fill(pair);
			pair->receives = true;
		}
		pair->poller.wake(); /* it unmasks the interrupt */
	}
	os->traffic = !error;
	os->idle_ticks = 0;
	return error;
}

/* Nothing of ours touches the queues any more. */
static void ena_osv_stop_traffic(ena_os *os)
{
	os->traffic = false;
	for (int i = 0; i < os->pairs; i++) {
		WITH_LOCK(os->pair[i].sending) {
			os->pair[i].sends = false;
		}
		WITH_LOCK(os->pair[i].receiving) {
			os->pair[i].receives = false;
		}
	}
}

static void ena_osv_release_packets(ena_os *os)
{
	for (int i = 0; i < os->pairs; i++) {
		ena_osv_tx_release(&os->pair[i]);
		ena_osv_rx_release(&os->pair[i]);
	}
}

/* The core wants a reset. Interrupts and threads stay, the device starts anew. */
void ena_osv_recover(ena_os *os)
{
	const char *outcome = "was reset";
	int error = ENA_E_DEVICE;

	ena_osv_stop_traffic(os);
	for (int i = 0; i < UP_TRIES && error; i++) {
		ena_halt(&os->ena);
		ena_osv_release_packets(os);
		error = ena_recover(&os->ena);
		if (error) {
			outcome = "is given up";
			break;
		}
		if (os->up)
			error = ena_osv_bring_up(os);
		outcome = error ? "creates no queues; trying again soon" : "was reset";
	}
	printf("%s: the device %s\n", os->interface->if_xname, outcome);
}

/* Once a second; `life` is held. */
void ena_osv_watch(ena_os *os)
{
	ena_watchdog(&os->ena);
	if (os->up && !os->traffic && ++os->idle_ticks >= RETRY_TICKS) {
		os->idle_ticks = 0;
		ena_want_reset(&os->ena, ENA_HW_RESET_DRIVER_STATE);
	}
}

static void ena_osv_start(ena_os *os)
{
	WITH_LOCK(os->life) {
		if (os->up)
			return;
		os->up = true;
		os->interface->if_drv_flags |= IFF_DRV_RUNNING;
		if (ena_osv_bring_up(os))
			printf("%s: the device creates no queues; trying again soon\n",
			       os->interface->if_xname);
	}
}

static void ena_osv_stop(ena_os *os)
{
	WITH_LOCK(os->life) {
		if (!os->up)
			return;
		ena_osv_stop_traffic(os);
		ena_down(&os->ena);
		ena_osv_release_packets(os);
		os->up = false;
		os->interface->if_drv_flags &= ~IFF_DRV_RUNNING;
	}
}

static int ena_osv_set_mtu(ena_os *os, int mtu)
{
	const ena_device *ena = &os->ena;

	/* Buffers have a fixed size and a packet a largest number of them. */
	if (mtu < ENA_MIN_MTU ||
	    mtu + ETHER_HDR_LEN + ETHER_VLAN_ENCAP_LEN > ena->rx_descs * MJUMPAGESIZE)
		return EINVAL;
	WITH_LOCK(os->life) {
		if (ena_set_mtu(&os->ena, mtu))
			return EINVAL;
	}
	os->interface->if_mtu = mtu;
	return 0;
}

static int ena_osv_control(struct ifnet *interface, u_long request, caddr_t data)
{
	auto os = static_cast<ena_os *>(interface->if_softc);

	switch (request) {
	case SIOCSIFFLAGS:
		if (interface->if_flags & IFF_UP)
			ena_osv_start(os);
		else
			ena_osv_stop(os);
		return 0;
	case SIOCSIFMTU:
		return ena_osv_set_mtu(os, reinterpret_cast<bsd_ifreq *>(data)->ifr_mtu);
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return 0; /* the card lets all of them through */
	default:
		return ether_ioctl(interface, request, data);
	}
}

static void ena_osv_initialize(void *softc)
{
	ena_osv_start(static_cast<ena_os *>(softc));
}

static void ena_osv_drop_waiting(struct ifnet *interface)
{
	(void)interface; /* packets wait in the ring alone */
}

static void ena_osv_count(struct ifnet *interface, if_data *counters)
{
	auto os = static_cast<const ena_os *>(interface->if_softc);

	*counters = interface->if_data;
	for (int i = 0; i < os->pairs; i++) {
		const ena_pair *pair = &os->ena.pair[i];

		counters->ifi_opackets += pair->tx.stats.packets;
		counters->ifi_obytes += pair->tx.stats.bytes;
		counters->ifi_oerrors += os->pair[i].dropped;
		counters->ifi_ipackets += pair->rx.stats.packets;
		counters->ifi_ibytes += pair->rx.stats.bytes;
	}
	counters->ifi_iqdrops += os->ena.stats.device_rx_drops;
	counters->ifi_oerrors += os->ena.stats.device_tx_drops;
}

void ena_osv_announce_link(ena_os *os)
{
	bool up = os->link;

	printf("%s: link is %s\n", os->interface->if_xname, up ? "up" : "down");
	if (up)
		ena_osv_report("link", "");
	if_link_state_change(os->interface, up ? LINK_STATE_UP : LINK_STATE_DOWN);
}

static void ena_osv_offer_offloads(struct ifnet *interface, const ena_limits *limits)
{
	uint32_t device = limits->offloads;

	interface->if_capabilities = IFCAP_JUMBO_MTU | IFCAP_LINKSTATE | IFCAP_HWSTATS;
	if (device & ENA_RX_CSUM_IP4)
		interface->if_capabilities |= IFCAP_RXCSUM;
	if (device & ENA_TX_CSUM_IP4) {
		interface->if_capabilities |= IFCAP_TXCSUM;
		interface->if_hwassist = CSUM_TCP | CSUM_UDP;
	}
	if (device & ENA_TX_CSUM_IP4 && device & ENA_TX_TSO_IP4 &&
	    limits->tx_segments >= TSO_SEGMENTS) {
		interface->if_capabilities |= IFCAP_TSO4;
		interface->if_hwassist |= CSUM_TSO;
	}
	interface->if_capenable = interface->if_capabilities;
}

/* The first ethN that is free: OSv's own drivers were here before. */
static void ena_osv_choose_name(struct ifnet *interface)
{
	char name[IFNAMSIZ];
	int unit = 0;

	do
		snprintf(name, sizeof(name), "eth%d", unit++);
	while (ifunit(name));
	if_initname(interface, "eth", unit - 1);
}

void ena_osv_interface_attach(ena_os *os)
{
	struct ifnet *interface = if_alloc(IFT_ETHER);

	os->interface = interface;
	ena_osv_choose_name(interface);
	interface->if_softc = os;
	interface->if_flags = IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST;
	interface->if_init = ena_osv_initialize;
	interface->if_ioctl = ena_osv_control;
	interface->if_transmit = ena_osv_transmit;
	interface->if_qflush = ena_osv_drop_waiting;
	interface->if_getinfo = ena_osv_count;
	ena_osv_offer_offloads(interface, &os->ena.limits);
	ether_ifattach(interface, os->ena.limits.mac);
}
