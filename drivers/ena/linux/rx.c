// SPDX-License-Identifier: BSD-3-Clause
/* Receiving: a page per buffer, from a pool that gets it back when the stack is done. */
#include <linux/etherdevice.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

#include "ena_linux.h"

#define COPY_BYTES 256 /* shorter packets are copied and their page is used again at once */
#define FILL_SHARE 4   /* a quarter of the ring is missing before it is filled: doorbells cost */

int ena_linux_rx_start(struct ena_linux_pair *pair, u16 depth)
{
	struct page_pool_params parameters = {
		.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
		.pool_size = depth,
		.nid = NUMA_NO_NODE,
		.dev = &pair->os->pdev->dev,
		.dma_dir = DMA_FROM_DEVICE,
		.max_len = PAGE_SIZE,
	};

	pair->pool = page_pool_create(&parameters);
	if (IS_ERR(pair->pool)) {
		int error = PTR_ERR(pair->pool);

		pair->pool = NULL;
		return error;
	}
	return 0;
}

void ena_linux_rx_stop(struct ena_linux_pair *pair)
{
	if (pair->pool)
		page_pool_destroy(pair->pool);
	pair->pool = NULL;
}

static void ena_linux_rx_post(struct ena_linux_pair *pair)
{
	struct page *page = page_pool_dev_alloc_pages(pair->pool);
	u16 id = ena_rx_next_id(pair->rx);

	if (!page) {
		pair->rx_no_memory++;
		return;
	}
	if (ena_rx_post(pair->rx, page_pool_get_dma_addr(page), PAGE_SIZE))
		pair->pages[id] = page;
	else
		page_pool_recycle_direct(pair->pool, page);
}

/* Fill the ring up if enough is missing. The device hears of the buffers once. */
void ena_linux_rx_fill(struct ena_linux_pair *pair)
{
	unsigned int missing = ena_rx_room(pair->rx);

	if (missing < pair->rx->sq.depth / FILL_SHARE)
		return;
	while (missing--)
		ena_linux_rx_post(pair);
	ena_rx_ring(pair->rx);
}

static struct page *ena_linux_rx_take_page(struct ena_linux_pair *pair,
					   const struct ena_rx_fragment *fragment)
{
	struct page *page = pair->pages[fragment->id];

	pair->pages[fragment->id] = NULL;
	dma_sync_single_range_for_cpu(&pair->os->pdev->dev, page_pool_get_dma_addr(page),
				      fragment->offset, fragment->length, DMA_FROM_DEVICE);
	return page;
}

static void ena_linux_rx_annotate(struct ena_linux_pair *pair, struct sk_buff *skb,
				  const struct ena_rx_packet *packet)
{
	netdev_features_t features = pair->os->netdev->features;

	if (packet->checksum_good && features & NETIF_F_RXCSUM)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (features & NETIF_F_RXHASH)
		skb_set_hash(skb, packet->hash,
			     packet->hash_is_l4 ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
	skb_record_rx_queue(skb, pair->number);
}

static void ena_linux_receive_short(struct ena_linux_pair *pair, const struct ena_rx_packet *packet)
{
	const struct ena_rx_fragment *fragment = &packet->fragment[0];
	struct page *page = ena_linux_rx_take_page(pair, fragment);
	struct sk_buff *skb = napi_alloc_skb(&pair->napi, fragment->length);

	if (skb)
		skb_put_data(skb, page_address(page) + fragment->offset, fragment->length);
	page_pool_recycle_direct(pair->pool, page);
	if (!skb) {
		pair->rx_no_memory++;
		return;
	}
	skb->protocol = eth_type_trans(skb, pair->os->netdev);
	ena_linux_rx_annotate(pair, skb, packet);
	napi_gro_receive(&pair->napi, skb);
}

static void ena_linux_receive_long(struct ena_linux_pair *pair, const struct ena_rx_packet *packet)
{
	struct sk_buff *skb = napi_get_frags(&pair->napi);

	for (unsigned int i = 0; i < packet->count; i++) {
		const struct ena_rx_fragment *fragment = &packet->fragment[i];
		struct page *page = ena_linux_rx_take_page(pair, fragment);

		if (skb)
			skb_add_rx_frag(skb, i, page, fragment->offset, fragment->length,
					PAGE_SIZE);
		else
			page_pool_recycle_direct(pair->pool, page);
	}
	if (!skb) {
		pair->rx_no_memory++;
		return;
	}
	skb_mark_for_recycle(skb);
	ena_linux_rx_annotate(pair, skb, packet);
	napi_gro_frags(&pair->napi);
}

/* Up to `budget` packets; negative: a reset is due. */
int ena_linux_rx_poll(struct ena_linux_pair *pair, int budget)
{
	struct ena_rx_packet packet;
	int done = 0, more = 0;

	BUILD_BUG_ON(ENA_MAX_FRAGMENTS > MAX_SKB_FRAGS);
	while (done < budget && (more = ena_rx_next(pair->rx, &packet)) > 0) {
		if (packet.count == 1 && packet.length <= COPY_BYTES)
			ena_linux_receive_short(pair, &packet);
		else
			ena_linux_receive_long(pair, &packet);
		done++;
		ena_linux_rx_fill(pair); /* long packets empty a ring in less than one poll */
	}
	ena_linux_rx_fill(pair); /* also when nothing came: memory may have been short */
	return more < 0 ? more : done;
}

void ena_linux_rx_release(struct ena_linux_pair *pair, u16 depth)
{
	for (u16 id = 0; id < depth; id++) {
		if (pair->pages[id])
			page_pool_put_full_page(pair->pool, pair->pages[id], false);
		pair->pages[id] = NULL;
	}
}
