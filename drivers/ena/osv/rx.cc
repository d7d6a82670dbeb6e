/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving: a page per buffer, handed to the stack as it is. */
#include <cstdint>

#include <osv/virt_to_phys.hh>

#include <bsd/porting/netport.h>
#include <bsd/sys/sys/param.h>
#include <bsd/sys/sys/mbuf.h>
#include <bsd/sys/net/if.h>
#include <bsd/sys/net/if_var.h>

#include "ena_osv.hh"

#define BUFFER_BYTES MJUMPAGESIZE
#define BUDGET 64    /* packets at once: then others may have the processor */
#define FILL_SHARE 4 /* a quarter of the ring is missing before it is filled: doorbells cost */
/* Packets that come close together share an interrupt; freeing what was sent can wait. */
#define RX_DELAY_US 20
#define TX_DELAY_US 64

/* Fill the ring up if enough is missing. The device hears of the buffers once. */
void ena_osv_rx_fill(queue_pair *pair)
{
	ena_rx *rx = &pair->os->ena.pair[pair->number].rx;
	unsigned int missing = ena_rx_room(rx);

	if (missing < rx->sq.depth / FILL_SHARE)
		return;
	while (missing--) {
		mbuf *buffer = m_getjcl(M_DONTWAIT, MT_DATA, M_PKTHDR, BUFFER_BYTES);
		uint16_t id = ena_rx_next_id(rx);

		if (!buffer)
			break;
		if (!ena_rx_post(rx, mmu::virt_to_phys(buffer->m_hdr.mh_data), BUFFER_BYTES)) {
			m_freem(buffer);
			break;
		}
		pair->posted[id] = buffer;
	}
	ena_rx_ring(rx);
}

/* The buffers of a packet as one chain. */
static mbuf *ena_osv_assemble(queue_pair *pair, const ena_rx_packet *packet)
{
	mbuf *first = nullptr, **end = &first;

	for (int i = 0; i < packet->count; i++) {
		const ena_rx_fragment *fragment = &packet->fragment[i];
		mbuf *buffer = pair->posted[fragment->id];

		pair->posted[fragment->id] = nullptr;
		buffer->m_hdr.mh_data += fragment->offset;
		buffer->m_hdr.mh_len = fragment->length;
		if (i)
			buffer->m_hdr.mh_flags &= ~M_PKTHDR;
		*end = buffer;
		end = &buffer->m_hdr.mh_next;
	}
	return first;
}

static void ena_osv_annotate(queue_pair *pair, mbuf *first, const ena_rx_packet *packet)
{
	pkthdr *about = &first->M_dat.MH.MH_pkthdr;

	about->rcvif = pair->os->interface;
	about->len = packet->length;
	if (packet->checksum_good) {
		about->csum_flags = CSUM_DATA_VALID | CSUM_PSEUDO_HDR;
		about->csum_data = 0xffff;
	}
	if (pair->os->ena.limits.offloads & ENA_RX_HASH) {
		first->m_hdr.mh_flags |= M_FLOWID;
		about->flowid = packet->hash;
	}
}

/* A list of at most BUDGET packets. `done`: there were no more, and the interrupt is on again. */
static mbuf *ena_osv_take_packets(queue_pair *pair, bool *done)
{
	ena_device *ena = &pair->os->ena;
	mbuf *list = nullptr, **end = &list;
	ena_rx_packet packet;
	int count = 0, more = 0;

	while (count < BUDGET && (more = ena_rx_next(&ena->pair[pair->number].rx, &packet)) > 0) {
		mbuf *first = ena_osv_assemble(pair, &packet);

		ena_osv_annotate(pair, first, &packet);
		*end = first;
		end = &first->m_hdr.mh_nextpkt;
		count++;
	}
	*done = count < BUDGET;
	if (more < 0)
		return list; /* a reset is due; it unmasks the interrupt */
	ena_osv_rx_fill(pair);
	if (*done)
		ena_unmask(ena, pair->number, RX_DELAY_US, TX_DELAY_US);
	return list;
}

/* TCP packets of a known connection go straight to its socket, whose owner does not look at the
 * checksum; all others up the stack. */
static void ena_osv_deliver(struct ifnet *interface, mbuf *packet)
{
	if (packet->M_dat.MH.MH_pkthdr.csum_flags & CSUM_DATA_VALID &&
	    interface->if_classifier.post_packet(packet))
		return;
	interface->if_input(interface, packet);
}

void ena_osv_poll(void *argument, bool)
{
	auto pair = static_cast<queue_pair *>(argument);

	for (bool done = false; !done;) {
		mbuf *list = nullptr;

		WITH_LOCK(pair->sending) {
			if (pair->sends)
				ena_osv_tx_poll(pair);
		}
		done = true;
		WITH_LOCK(pair->receiving) {
			if (pair->receives)
				list = ena_osv_take_packets(pair, &done);
		}
		while (list) {
			mbuf *packet = list;

			list = packet->m_hdr.mh_nextpkt;
			packet->m_hdr.mh_nextpkt = nullptr;
			ena_osv_deliver(pair->os->interface, packet);
		}
	}
}

void ena_osv_rx_release(queue_pair *pair)
{
	for (mbuf *&buffer : pair->posted) {
		if (buffer)
			m_freem(buffer);
		buffer = nullptr;
	}
}
