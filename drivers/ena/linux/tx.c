// SPDX-License-Identifier: BSD-3-Clause
/* Sending: socket buffers to packets of the core, and their completion. */
#include <linux/dma-mapping.h>
#include <linux/if_vlan.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "ena_linux.h"

static void ena_linux_tx_unmap(struct ena_linux_pair *pair, struct ena_linux_tx_packet *packet)
{
	for (unsigned int i = 0; i < packet->pieces; i++)
		dma_unmap_page(&pair->os->pdev->dev, packet->piece[i].address,
			       packet->piece[i].length, DMA_TO_DEVICE);
	packet->pieces = 0;
	packet->skb = NULL;
}

/* Map the packet from byte `skip` on: what comes before goes inline. */
static bool ena_linux_tx_map(struct ena_linux_pair *pair, struct sk_buff *skb, unsigned int skip,
			     struct ena_linux_tx_packet *packet)
{
	struct device *dev = &pair->os->pdev->dev;
	unsigned int head = skb_headlen(skb);
	dma_addr_t address;

	packet->skb = skb;
	packet->pieces = 0;
	if (skip < head) {
		address = dma_map_single(dev, skb->data + skip, head - skip, DMA_TO_DEVICE);
		if (dma_mapping_error(dev, address))
			return false;
		packet->piece[packet->pieces++] =
			(struct ena_segment){ .address = address, .length = head - skip };
		skip = 0;
	} else {
		skip -= head;
	}
	for (int i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		unsigned int size = skb_frag_size(frag);

		if (skip >= size) {
			skip -= size;
			continue;
		}
		address = skb_frag_dma_map(dev, frag, skip, size - skip, DMA_TO_DEVICE);
		if (dma_mapping_error(dev, address))
			return false;
		packet->piece[packet->pieces++] =
			(struct ena_segment){ .address = address, .length = size - skip };
		skip = 0;
	}
	return true;
}

/* What the stack left to the card. False: a checksum that the card cannot do. */
static bool ena_linux_tx_offloads(struct sk_buff *skb, struct ena_tx_packet *packet)
{
	bool ip4 = vlan_get_protocol(skb) == htons(ETH_P_IP);

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return true;
	packet->udp = skb->csum_offset == offsetof(struct udphdr, check);
	if (!packet->udp && skb->csum_offset != offsetof(struct tcphdr, check))
		return skb_checksum_help(skb) == 0;
	packet->l3_offset = skb_network_offset(skb);
	packet->l3_bytes = skb_network_header_len(skb);
	if (skb_is_gso(skb)) {
		packet->offloads = ip4 ? ENA_TX_TSO_IP4 : ENA_TX_TSO_IP6;
		packet->mss = skb_shinfo(skb)->gso_size;
		packet->l4_bytes = tcp_hdrlen(skb);
	} else {
		packet->offloads = ip4 ? ENA_TX_CSUM_IP4 : ENA_TX_CSUM_IP6;
	}
	packet->dont_fragment = ip4 && ip_hdr(skb)->frag_off & htons(IP_DF);
	return true;
}

/* Whether the queue stays stopped until ena_linux_tx_poll finds room. */
static bool ena_linux_tx_stop_if_full(struct netdev_queue *queue, const struct ena_tx *tx)
{
	if (ena_tx_has_room(tx))
		return false;
	netif_tx_stop_queue(queue);
	/* Room may have come between the test and the stop. */
	smp_mb(); /* pairs with the one in ena_linux_tx_poll */
	if (!ena_tx_has_room(tx))
		return true;
	netif_tx_start_queue(queue);
	return false;
}

netdev_tx_t ena_linux_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct ena_os *os = netdev_priv(netdev);
	u16 number = skb_get_queue_mapping(skb);
	struct netdev_queue *queue = netdev_get_tx_queue(netdev, number);
	struct ena_linux_pair *pair = &os->pair[number];
	struct ena_tx *tx = pair->tx;
	struct ena_tx_packet packet = {
		.header_bytes = min_t(unsigned int, skb->len, os->ena.limits.push_bytes),
	};
	struct ena_linux_tx_packet *kept;

	if (ena_linux_tx_stop_if_full(queue, tx)) {
		ena_tx_ring(tx);
		return NETDEV_TX_BUSY;
	}
	if (skb_shinfo(skb)->nr_frags + 1 > os->ena.limits.tx_segments && skb_linearize(skb))
		goto drop;
	if (!ena_linux_tx_offloads(skb, &packet))
		goto drop;
	if (packet.header_bytes) {
		packet.header = skb_header_pointer(skb, 0, packet.header_bytes, pair->header);
		if (!packet.header)
			goto drop;
	}
	kept = &pair->packets[ena_tx_next_id(tx)];
	if (!ena_linux_tx_map(pair, skb, packet.header_bytes, kept)) {
		ena_linux_tx_unmap(pair, kept);
		goto drop;
	}
	packet.segments = kept->piece;
	packet.segment_count = kept->pieces;
	skb_tx_timestamp(skb);

	/* Before the device has it: a completion must not find bytes that were never counted.
	 * If the core does not take the packet, a reset clears the count. */
	netdev_tx_sent_queue(queue, skb->len);
	if (ena_tx_send(tx, &packet)) {
		ena_want_reset(&os->ena, ENA_HW_RESET_DRIVER_STATE);
		ena_linux_tx_unmap(pair, kept);
		goto drop;
	}
	ena_linux_tx_stop_if_full(queue, tx);
	if (!netdev_xmit_more() || netif_xmit_stopped(queue))
		ena_tx_ring(tx);
	return NETDEV_TX_OK;

drop:
	dev_kfree_skb_any(skb);
	pair->tx_dropped++;
	if (!netdev_xmit_more())
		ena_tx_ring(tx);
	return NETDEV_TX_OK;
}

/* Take all completions there are, a ring at most; negative: a reset is due. `budget` is NAPI's: 0
 * says that packets cannot be freed in this context, as when netpoll calls. */
int ena_linux_tx_poll(struct ena_linux_pair *pair, int budget)
{
	struct netdev_queue *queue = netdev_get_tx_queue(pair->os->netdev, pair->number);
	unsigned int bytes = 0, packets = 0;
	int more = 0;
	u16 id;

	while (packets < ENA_MAX_DEPTH && (more = ena_tx_done(pair->tx, &id)) > 0) {
		struct ena_linux_tx_packet *packet = &pair->packets[id];
		struct sk_buff *skb = packet->skb;

		ena_linux_tx_unmap(pair, packet);
		bytes += skb->len;
		packets++;
		napi_consume_skb(skb, budget);
	}
	netdev_tx_completed_queue(queue, packets, bytes);
	smp_mb(); /* pairs with the one in ena_linux_tx_stop_if_full */
	if (netif_tx_queue_stopped(queue) && ena_tx_has_room(pair->tx) && more >= 0)
		netif_tx_wake_queue(queue);
	return more;
}

/* The device touches nothing any more: drop what it had not sent. */
void ena_linux_tx_release(struct ena_linux_pair *pair, u16 depth)
{
	for (u16 id = 0; id < depth; id++) {
		struct sk_buff *skb = pair->packets[id].skb;

		if (!skb)
			continue;
		ena_linux_tx_unmap(pair, &pair->packets[id]);
		dev_kfree_skb_any(skb);
	}
	netdev_tx_reset_queue(netdev_get_tx_queue(pair->os->netdev, pair->number));
}
