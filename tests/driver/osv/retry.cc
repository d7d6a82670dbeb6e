/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The OSv binding's life cycle over a core that does as the test says: what the interface does
 * when the card creates no queues. One line of numbers for each step goes to stdout.
 */
#include "stubs.hh"

#include "ena_osv.hh"

static bool creates_queues;
static int attempts, resets_wanted, recoveries;
static ifnet the_interface;

int ena_up(ena_device *, uint16_t, uint16_t, uint16_t)
{
	attempts++;
	return creates_queues ? 0 : ENA_E_MEMORY;
}

void ena_down(ena_device *)
{
}

void ena_halt(ena_device *)
{
}

int ena_recover(ena_device *)
{
	recoveries++;
	return 0;
}

void ena_watchdog(ena_device *)
{
}

void ena_want_reset(ena_device *, ena_hw_reset_reason)
{
	resets_wanted++;
}

int ena_set_mtu(ena_device *, uint32_t)
{
	return 0;
}

void ena_osv_rx_fill(queue_pair *)
{
}

void ena_osv_rx_release(queue_pair *)
{
}

void ena_osv_tx_release(queue_pair *)
{
}

int ena_osv_transmit(ifnet *, mbuf *)
{
	return 0;
}

void worker::wake()
{
}

ifnet *if_alloc(unsigned char)
{
	return &the_interface;
}

ifnet *ifunit(const char *)
{
	return nullptr;
}

void if_initname(ifnet *interface, const char *name, int unit)
{
	snprintf(interface->if_xname, IFNAMSIZ, "%s%d", name, unit);
}

void if_link_state_change(ifnet *, int)
{
}

void ether_ifattach(ifnet *, const uint8_t *)
{
}

int ether_ioctl(ifnet *, u_long, caddr_t)
{
	return 0;
}

void ena_osv_report(const char *, const char *)
{
}

static void turn(int flags)
{
	the_interface.if_flags = flags;
	the_interface.if_ioctl(&the_interface, SIOCSIFFLAGS, nullptr);
}

static void pass(ena_os *os, int seconds)
{
	for (int i = 0; i < seconds; i++)
		ena_osv_watch(os);
}

static void tell(const ena_os *os, const char *step)
{
	printf("%s: %d attempts, %d resets, traffic %d, sends %d\n", step, attempts,
	       resets_wanted, os->traffic, os->pair[0].sends);
}

int main()
{
	static queue_pair pair;
	static ena_os os;

	os.pairs = 1;
	os.pair = &pair;
	ena_osv_interface_attach(&os);
	turn(IFF_UP);
	pass(&os, 9);
	tell(&os, "up in vain");
	pass(&os, 1);
	tell(&os, "ten seconds later");
	ena_osv_recover(&os);
	pass(&os, 10);
	tell(&os, "reset in vain");
	creates_queues = true;
	ena_osv_recover(&os);
	pass(&os, 30);
	tell(&os, "reset");
	turn(0);
	pass(&os, 30);
	tell(&os, "down");
	return 0;
}
