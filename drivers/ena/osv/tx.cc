/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending: mbuf chains to packets of the core, and their completion. */
#include <cstdint>

#include <osv/virt_to_phys.hh>

#include <bsd/porting/netport.h>
#include <bsd/sys/sys/param.h>
#include <bsd/sys/sys/mbuf.h>
#include <bsd/sys/net/if.h>
#include <bsd/sys/net/if_var.h>
#include <bsd/sys/net/ethernet.h>
#include <bsd/sys/netinet/in.h>
#include <bsd/sys/netinet/ip.h>
#include <bsd/sys/netinet/tcp.h>

#include "ena_osv.hh"

#define MOST_HEADERS (ETHER_HDR_LEN + 60 + 20) /* IPv4 with options, TCP without */

/* Add `length` bytes at `data` to the pieces. False: there is no room. */
static bool ena_osv_map(char *data, int length, ena_tx_packet *packet, ena_segment *segment,
			int room)
{
	for (int bytes; length; length -= bytes, data += bytes) {
		uintptr_t offset = reinterpret_cast<uintptr_t>(data) % PAGE_SIZE;

		bytes = std::min<int>(length, PAGE_SIZE - offset);
		uint64_t address = mmu::virt_to_phys(data);
		ena_segment *last = &segment[packet->segment_count - 1];

		if (packet->segment_count && last->address + last->length == address &&
		    last->length + bytes <= 0xffff) {
			last->length += bytes;
			continue;
		}
		if (packet->segment_count == room)
			return false;
		segment[packet->segment_count++] = { address, static_cast<uint32_t>(bytes) };
	}
	return true;
}

/* The same with a chain from its byte `skip` on. */
static bool ena_osv_map_chain(const mbuf *chain, int skip, ena_tx_packet *packet,
			      ena_segment *segment, int room)
{
	for (; chain; chain = chain->m_hdr.mh_next) {
		int here = std::min(skip, chain->m_hdr.mh_len);

		skip -= here;
		if (!ena_osv_map(chain->m_hdr.mh_data + here, chain->m_hdr.mh_len - here, packet,
				 segment, room))
			return false;
	}
	return true;
}

/* What the stack left to the card; it does so for IPv4 alone, and with no tag before it. */
static void ena_osv_describe_offloads(const mbuf *packet, const uint8_t *header,
				      ena_tx_packet *send)
{
	const pkthdr *about = &packet->M_dat.MH.MH_pkthdr;
	auto ip4 = reinterpret_cast<const ip *>(header + ETHER_HDR_LEN);

	if (!(about->csum_flags & (CSUM_TCP | CSUM_UDP | CSUM_TSO)))
		return;
	send->udp = about->csum_flags & CSUM_UDP;
	send->dont_fragment = ip4->ip_off & htons(IP_DF);
	send->l3_offset = ETHER_HDR_LEN;
	send->l3_bytes = ip4->ip_hl << 2;
	send->offloads = ENA_TX_CSUM_IP4;
	if (about->csum_flags & CSUM_TSO) {
		const uint8_t *l4 = header + ETHER_HDR_LEN + send->l3_bytes;
		auto tcp = reinterpret_cast<const tcphdr *>(l4);

		send->offloads = ENA_TX_TSO_IP4;
		send->mss = about->tso_segsz;
		send->l4_bytes = tcp->th_off << 2;
	}
}

static queue_pair *ena_osv_choose_pair(ena_os *os, const mbuf *packet)
{
	unsigned int flow = packet->m_hdr.mh_flags & M_FLOWID ? packet->M_dat.MH.MH_pkthdr.flowid :
								sched::cpu::current()->id;

	return &os->pair[flow % os->pairs];
}

/* Give the packet to the device; false: it is still the caller's. */
static bool ena_osv_send(queue_pair *pair, mbuf *packet)
{
	const ena_limits *limits = &pair->os->ena.limits;
	ena_tx *tx = &pair->os->ena.pair[pair->number].tx;
	int length = packet->M_dat.MH.MH_pkthdr.len;
	uint8_t header[std::max(ENA_MAX_PUSH, MOST_HEADERS)];
	ena_segment segment[ENA_MAX_SEGMENTS];
	ena_tx_packet sent = {};
	int wanted = std::max<int>(limits->push_bytes, MOST_HEADERS);

	m_copydata(packet, 0, std::min<int>(length, wanted),
		   reinterpret_cast<caddr_t>(header));
	sent.header = header;
	sent.header_bytes = std::min<int>(length, limits->push_bytes);
	sent.segments = segment;
	if (!ena_osv_map_chain(packet, sent.header_bytes, &sent, segment, limits->tx_segments))
		return false;
	ena_osv_describe_offloads(packet, header, &sent);

	uint16_t id = ena_tx_next_id(tx);
	if (ena_tx_send(tx, &sent))
		return false;
	pair->sent[id] = packet;
	ena_tx_ring(tx);
	return true;
}

/* The interface's if_transmit: the packet is ours, come what may. A full ring is reported as in
 * every BSD: TCP slows down, the others lose the packet. */
int ena_osv_transmit(struct ifnet *interface, mbuf *packet)
{
	auto os = static_cast<ena_os *>(interface->if_softc);
	queue_pair *pair = ena_osv_choose_pair(os, packet);
	bool taken = false;

	WITH_LOCK(pair->sending) {
		const ena_tx *tx = &os->ena.pair[pair->number].tx;

		if (pair->sends && (ena_tx_has_room(tx) ||
				    (ena_osv_tx_poll(pair) >= 0 && ena_tx_has_room(tx)))) {
			taken = ena_osv_send(pair, packet);
			if (!taken) { /* in too many pieces */
				mbuf *whole = m_defrag(packet, M_DONTWAIT);

				packet = whole ? whole : packet;
				taken = whole && ena_osv_send(pair, packet);
			}
		}
		pair->dropped += !taken;
	}
	if (taken)
		return 0;
	m_freem(packet);
	return ENOBUFS;
}

int ena_osv_tx_poll(queue_pair *pair)
{
	ena_tx *tx = &pair->os->ena.pair[pair->number].tx;
	int more = 0;
	uint16_t id;

	for (int i = 0; i < ENA_MAX_DEPTH && (more = ena_tx_done(tx, &id)) > 0; i++) {
		m_freem(pair->sent[id]);
		pair->sent[id] = nullptr;
	}
	return more;
}

/* The device touches nothing any more: drop what it had not sent. */
void ena_osv_tx_release(queue_pair *pair)
{
	for (mbuf *&packet : pair->sent) {
		if (packet)
			m_freem(packet);
		packet = nullptr;
	}
}
