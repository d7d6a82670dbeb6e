/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The OSv binding: one card as PCI device and network interface.
 *
 * Threads: one per pair takes completions and packets; "ena-events" runs ena_interrupt; "ena"
 * runs watchdog and recovery. Interrupts only wake them.
 *
 * Locks, outermost first: life (calls of the life cycle), receiving and sending (of a pair),
 * admin. A pair's two locks are never held together, and none while packets go up the stack.
 */
#ifndef ENA_OSV_HH
#define ENA_OSV_HH

#include <atomic>
#include <chrono>

#include <osv/condvar.h>
#include <osv/mutex.h>
#include <osv/sched.hh>

#define _Static_assert static_assert /* the core's headers are C */
extern "C" {
#include "../core/ena.h"
}

struct ifnet;
struct mbuf;
namespace pci {
class device;
}

/* A thread that sleeps until there is work. */
class worker {
public:
	/* `work(argument, tick)` is called at once, and once after any number of wakes. With a
	 * `period`, also whenever that has passed, and `tick` says so. No processor: any. */
	void start(const char *name, void (*work)(void *argument, bool tick), void *argument,
		   sched::cpu *cpu, std::chrono::seconds period = std::chrono::seconds(0));
	void wake();
	void wake_from_interrupt();

private:
	sched::thread *thread = nullptr;
	std::atomic<bool> wanted{false};
};

struct queue_pair {
	ena_os *os;
	uint16_t number;
	worker poller;
	mutex sending;
	mutex receiving;
	bool sends = false;                   /* under `sending`: traffic is on */
	bool receives = false;                /* under `receiving`: traffic is on */
	mbuf *sent[ENA_MAX_DEPTH] = {};       /* by TX id */
	mbuf *posted[ENA_MAX_DEPTH] = {};     /* by RX id */
	uint64_t dropped = 0;
};

struct ena_os {
	pci::device *device;
	volatile char *registers;        /* BAR 0 */
	volatile char *llq;              /* BAR 2, or NULL */
	uint32_t register_bytes;
	uint32_t llq_bytes;
	ena_device ena;                  /* zeroed, as ena_attach wants it */
	struct ifnet *interface;

	worker manager;                  /* watchdog and recovery */
	worker events;                   /* ena_interrupt */
	mutex life;
	mutex interrupt;
	mutex admin;
	mutex wait;
	condvar woken;
	bool is_woken;                   /* under `wait`: a wake that nobody has waited for yet */
	std::atomic<bool> reset_wanted;
	std::atomic<bool> link;          /* is up */
	std::atomic<bool> link_changed;

	bool up;                         /* under `life`: the system wants traffic */
	bool traffic;                    /* under `life`: there are queues that carry it */
	unsigned int idle_ticks;         /* seconds that the system has wanted it in vain */
	uint16_t pairs;
	uint16_t tx_depth;
	uint16_t rx_depth;
	queue_pair *pair;
};

/* net.cc */
void ena_osv_interface_attach(ena_os *os);
void ena_osv_announce_link(ena_os *os);
void ena_osv_report(const char *milestone, const char *fields);
void ena_osv_recover(ena_os *os);
void ena_osv_watch(ena_os *os);

/* tx.cc */
int ena_osv_transmit(struct ifnet *interface, mbuf *packet);
int ena_osv_tx_poll(queue_pair *pair); /* takes completions; pair->sending is held */
void ena_osv_tx_release(queue_pair *pair);

/* rx.cc */
void ena_osv_poll(void *pair, bool tick); /* what the thread of a pair does */
void ena_osv_rx_fill(queue_pair *pair);
void ena_osv_rx_release(queue_pair *pair);

#endif
