/* SPDX-License-Identifier: BSD-3-Clause */
/* txoffload.py: what a descriptor asks for, said as a virtio-net header. */
#include "loop.h"

#define W1_TSO (1u << 7)
#define W1_L3_CSUM (1u << 13)
#define W1_L4_CSUM (1u << 14)
#define W1_L4_PARTIAL (1u << 17)
#define L3_IPV4 8
#define L3_IPV6 11
#define L4_TCP 12
#define L4_UDP 13

#define OFFERED_L3 (1u << 0)
#define OFFERED_L4_PARTIAL(v6) (1u << ((v6) ? 3 : 1))
#define OFFERED_L4_FULL(v6) (1u << ((v6) ? 4 : 2))
#define OFFERED_TSO(v6) (1u << ((v6) ? 6 : 5))

#define NEEDS_CSUM 1
#define GSO_TCPV4 1
#define GSO_TCPV6 4
#define GSO_ECN 0x80
#define TCP_CWR 0x80

/* A packet's request and what its meta descriptor says, in bytes. */
struct loop_request {
	bool v6, tso, l3_csum, l4_csum, partial, udp;
	uint32_t l3, l3_bytes, l4, l4_bytes, mss; /* `l3` and `l4` are where the headers begin */
	uint32_t end; /* of the headers that are needed */
	uint32_t field; /* where the transport's checksum is */
};

static void loop_parse(const struct loop_packet *packet, struct loop_request *request)
{
	uint32_t w1 = packet->w1, meta = (uint32_t)packet->meta2;

	request->v6 = (w1 & 0xf) == L3_IPV6;
	request->tso = w1 & W1_TSO;
	request->l3_csum = w1 & W1_L3_CSUM;
	request->l4_csum = w1 & W1_L4_CSUM;
	request->partial = w1 & W1_L4_PARTIAL;
	request->l3 = meta >> 8 & 0xff;
	request->l3_bytes = meta & 0xff;
	request->l4 = request->l3 + request->l3_bytes;
	request->l4_bytes = (meta >> 16 & 0x3f) * 4;
	request->mss = (uint32_t)(packet->meta0 >> 16 & 0xf) << 10 | meta >> 22;
}

/* Whether the card offers what is asked for, and it can be. */
static bool loop_can(struct loop_request *request, uint32_t w1, uint32_t offered)
{
	uint32_t l3 = w1 & 0xf, l4 = w1 >> 8 & 0x1f, wanted = OFFERED_L3;
	bool v6 = request->v6;

	if ((l3 != L3_IPV4 && !v6) || request->l3_bytes < (v6 ? 40 : 20) || request->l3 < 14)
		return false;
	if (request->tso && !l4)
		l4 = L4_TCP;
	request->udp = l4 == L4_UDP;
	request->field = request->l4 + (request->udp ? 6 : 16);
	request->end = request->l4;
	if (request->tso || request->l4_csum) {
		if (l4 != L4_TCP && l4 != L4_UDP)
			return false;
		request->end = request->field + 2;
		wanted = OFFERED_L4_PARTIAL(v6);
		if (!request->partial)
			wanted |= OFFERED_L4_FULL(v6);
	}
	if (request->tso) {
		if (request->udp || request->mss < 8 || request->l4_bytes < 20 ||
		    request->l4_bytes > 60)
			return false;
		request->end = request->l4 + request->l4_bytes;
		wanted = OFFERED_TSO(v6);
	}
	return offered & wanted;
}

/* Copy the packet's first `need` bytes to its front, whatever parts they lie in. */
static void loop_gather(struct loop_packet *packet, uint32_t need)
{
	uint32_t have = packet->inlined;

	for (uint32_t i = LOOP_DATA; i < packet->parts && have < need; i++) {
		struct iovec *part = &packet->part[i];
		size_t size = need - have < part->iov_len ? need - have : part->iov_len;

		loop_copy(packet->front + have, part->iov_base, size);
		part->iov_base = (uint8_t *)part->iov_base + size;
		part->iov_len -= size;
		have += (uint32_t)size;
	}
	packet->part[LOOP_FRONT] = (struct iovec){ packet->front, have };
}

/* Whether the packet's own headers, in `head`, say the same. */
static bool loop_fits(const struct loop_request *request, const uint8_t *head)
{
	const uint8_t *ip = head + request->l3;
	uint8_t protocol = request->udp ? 17 : 6;

	if (request->v6) {
		if (ip[0] >> 4 != 6 || request->l3_csum)
			return false;
		return request->l3_bytes != 40 || ip[6] == protocol;
	}
	if (ip[0] != (0x40 | request->l3_bytes >> 2))
		return false;
	if (!request->tso && !request->l4_csum)
		return true;
	return !(ip[6] & 0x3f) && !ip[7] && ip[9] == protocol;
}

/* Bytes that the transport's sum covers: IP's length, for a frame may be padded. */
static uint32_t loop_l4_bytes(const struct loop_request *request, const uint8_t *head,
			      uint32_t length)
{
	int64_t whole = (int64_t)length - request->l4, told;

	if (request->tso)
		return (uint32_t)whole; /* each segment gets a length of its own */
	if (request->v6)
		told = (int64_t)loop_be16(head + request->l3 + 4) + 40 - request->l3_bytes;
	else
		told = (int64_t)loop_be16(head + request->l3 + 2) - request->l3_bytes;
	return (uint32_t)(0 < told && told < whole ? told : whole);
}

/* Write the sums that the card owes into the copied headers. */
static void loop_sums(const struct loop_request *request, struct loop_packet *packet)
{
	uint8_t *head = packet->front, *ip = head + request->l3;

	if (!request->v6 && (request->l3_csum || request->tso)) {
		loop_put_be16(ip + 10, 0);
		loop_put_be16(ip + 10,
			      65535 - loop_fold(loop_add(0, ip, request->l3_bytes, false)));
	}
	if ((request->l4_csum || request->tso) && !request->partial) {
		uint32_t covered = loop_l4_bytes(request, head, (uint32_t)packet->length);
		uint32_t protocol = request->udp ? 17 : 6;

		loop_put_be16(head + request->field,
			      request->v6 ? loop_pseudo(ip + 8, 32, protocol, covered) :
					    loop_pseudo(ip + 12, 8, protocol, covered));
	}
}

static void loop_put_le16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

/* Make the virtio-net header; false for what cannot be, which the model says better. */
bool loop_describe(const struct loop_tx *tx, struct loop_packet *packet)
{
	struct loop_request request = { 0 };
	size_t first = packet->inlined ? packet->inlined : packet->part[LOOP_DATA].iov_len;
	uint8_t *header = packet->header;

	loop_parse(packet, &request);
	if (!loop_can(&request, packet->w1, (uint32_t)tx->offloads) ||
	    request.end > packet->length || request.end > first)
		return false;
	if (request.tso || request.l3_csum || !request.partial) {
		uint32_t l4_bytes = request.l4_bytes < 20 ? 20 : request.l4_bytes;
		uint32_t need = request.l4 + (request.tso || request.l4_csum ? l4_bytes : 0);

		loop_gather(packet, need < packet->length ? need : (uint32_t)packet->length);
	} else {
		loop_gather(packet, request.end);
	}
	if (!loop_fits(&request, packet->front))
		return false;
	if (request.tso || request.l3_csum || !request.partial)
		loop_sums(&request, packet);
	if (!request.tso && !request.l4_csum)
		return true;
	header[0] = NEEDS_CSUM;
	loop_put_le16(header + 6, request.l4);
	loop_put_le16(header + 8, request.field - request.l4);
	if (request.tso) {
		header[1] = request.v6 ? GSO_TCPV6 : GSO_TCPV4;
		if (packet->front[request.l4 + 13] & TCP_CWR)
			header[1] |= GSO_ECN;
		loop_put_le16(header + 2, request.end);
		loop_put_le16(header + 4, request.mss);
	}
	return true;
}
