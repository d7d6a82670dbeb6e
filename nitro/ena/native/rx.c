/* SPDX-License-Identifier: BSD-3-Clause */
/* Receiving: rx_path.py for frames of known flows that fit, and rx.py's fetching of buffers. */
#include <errno.h>

#include "flow.h"

#define CONTROL_PHASE (1u << 0)
#define CONTROL_FIRST (1u << 2)
#define CONTROL_LAST (1u << 3)
#define CONTROL_CHECKED (CONTROL_PHASE | CONTROL_FIRST | CONTROL_LAST | 1u << 1 | 3u << 6)

#define NEEDS_CSUM 1
#define UDP 17

#define STATUS_L3_ERROR (1u << 13)
#define STATUS_L4_ERROR (1u << 14)
#define STATUS_L4_CHECKED (1u << 16)
#define STATUS_FIRST (1u << 26)
#define STATUS_LAST (1u << 27)
#define STATUS_BUFFER (1u << 30)

/* How a call of loop_receive() ended. */
enum loop_end {
	LOOP_DONE, /* the budget is spent, or no frame is there */
	LOOP_NO_BUFFERS, /* the queue has none */
	LOOP_FRAME, /* a frame of `length` bytes in `views` buffers is for the model to deliver */
	LOOP_WATCH, /* the last frame was delivered; the model has to hear of it */
	LOOP_PORT, /* the port answers with an error: the model is to read */
};

/* A frame as it lies in the buffers and the overflow. */
struct loop_frame {
	struct iovec piece[LOOP_PARTS + 1];
	uint32_t pieces;
	size_t length;
	uint8_t head[LOOP_PEEK];
	size_t head_bytes;
};

/* Take `added` descriptors from `tail` on; false, and none taken, for the model to look. */
LOOP_API int loop_fetch(struct loop_rx *rx, uint64_t tail, uint64_t added)
{
	const volatile uint64_t *ring = loop_find_words(rx->memory, rx->ring, rx->depth * 16);

	if (!ring || added > rx->depth - (rx->end - rx->start))
		return 0;
	for (uint64_t i = 0; i < added; i++) {
		uint64_t slot = (tail + i) % rx->depth;
		uint64_t low = ring[2 * slot], high = ring[2 * slot + 1] & 0xffffffffffff;
		uint32_t length = low & 0xffff ? low & 0xffff : 0x10000;
		uint32_t right = CONTROL_FIRST | CONTROL_LAST;

		right |= loop_phase(tail + i, rx->depth) ? CONTROL_PHASE : 0;
		if ((low >> 24 & CONTROL_CHECKED) != right ||
		    !loop_find(rx->memory, high, length))
			return 0;
		rx->buffers[(rx->end + i) % rx->depth] = (struct loop_buffer){
			high, length, (uint16_t)(low >> 32), (uint16_t)slot,
		};
	}
	rx->end += added;
	return 1;
}

/* Point `piece` at the first buffers of a queue, `most` at most; returns how many, 0 also where
 * one is not mapped, which cannot be. */
static uint32_t loop_views(const struct loop_rx *rx, struct iovec *piece, uint64_t most)
{
	uint64_t count = rx->end - rx->start < most ? rx->end - rx->start : most;

	for (uint64_t i = 0; i < count; i++) {
		const struct loop_buffer *buffer = &rx->buffers[(rx->start + i) % rx->depth];

		piece[i].iov_base = loop_find(rx->memory, buffer->address, buffer->length);
		piece[i].iov_len = buffer->length;
		if (!piece[i].iov_base)
			return 0;
	}
	return (uint32_t)count;
}

/* Read one frame; its length, 0 if there is none, -1 for an error. */
static ssize_t loop_read(const struct loop_receiver *receiver, int port, struct iovec *views,
			 uint32_t count)
{
	struct iovec part[LOOP_PARTS + 2];
	ssize_t got;

	part[0] = (struct iovec){ receiver->header, LOOP_HEADER };
	memcpy(&part[1], views, count * sizeof(*views));
	part[count + 1] = (struct iovec){ receiver->overflow, receiver->overflow_bytes };
	do
		got = readv(port, part, (int)count + 2);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	return got < LOOP_HEADER ? 0 : got - LOOP_HEADER;
}

/* Cut the pieces, `frame->pieces` views and the overflow, to the frame's length; copy its head. */
static void loop_cut(struct loop_frame *frame, const struct loop_receiver *receiver)
{
	size_t left = frame->length;
	uint32_t used = 0;

	frame->piece[frame->pieces] = (struct iovec){ receiver->overflow, left };
	frame->head_bytes = 0;
	for (; left; used++) {
		struct iovec *piece = &frame->piece[used];
		size_t room = sizeof(frame->head) - frame->head_bytes;

		if (piece->iov_len > left)
			piece->iov_len = left;
		left -= piece->iov_len;
		room = room < piece->iov_len ? room : piece->iov_len;
		loop_copy(frame->head + frame->head_bytes, piece->iov_base, room);
		frame->head_bytes += room;
	}
	frame->pieces = used;
}

/* The sum of the frame's bytes from `from` up to `to`, which is in it. */
static uint64_t loop_sum(const struct loop_frame *frame, size_t from, size_t to)
{
	uint64_t sum = 0;
	size_t at = 0;

	for (uint32_t i = 0; i < frame->pieces && at < to; i++) {
		const struct iovec *piece = &frame->piece[i];
		size_t first = from > at ? from - at : 0;
		size_t last = to - at < piece->iov_len ? to - at : piece->iov_len;

		if (first < last)
			sum = loop_add(sum, (uint8_t *)piece->iov_base + first, last - first,
				       (at + first - from) & 1);
		at += piece->iov_len;
	}
	return sum;
}

static void loop_put(const struct loop_frame *frame, size_t at, uint8_t byte)
{
	for (uint32_t i = 0; i < frame->pieces; i++) {
		if (at < frame->piece[i].iov_len) {
			((volatile uint8_t *)frame->piece[i].iov_base)[at] = byte;
			return;
		}
		at -= frame->piece[i].iov_len;
	}
}

/* Complete the checksum that the sender left open. */
static void loop_finish(const struct loop_frame *frame, size_t start, size_t field)
{
	uint32_t sum = 65535 - loop_fold(loop_sum(frame, start, frame->length));

	sum = sum ? sum : 65535;
	loop_put(frame, field, (uint8_t)(sum >> 8));
	loop_put(frame, field + 1, (uint8_t)sum);
}

/* verify.py: `status` of a frame of a known flow, with what its sums say. */
static uint32_t loop_verdict(const struct loop_frame *frame, uint32_t status)
{
	const uint8_t *head = frame->head;
	bool v6 = head[14] >> 4 == 6;
	size_t l4 = v6 ? 54 : 34;
	size_t end = v6 ? l4 + loop_be16(head + 18) : 14 + loop_be16(head + 16);
	uint32_t protocol = v6 ? head[20] : head[23];
	uint64_t sum;

	if (!v6 && loop_fold(loop_sum(frame, 14, 34)) != 65535)
		status |= STATUS_L3_ERROR;
	if (protocol == UDP && !head[l4 + 6] && !head[l4 + 7])
		return status & ~STATUS_L4_CHECKED;
	if (end <= l4 || end > frame->length)
		return status | STATUS_L4_ERROR;
	sum = v6 ? loop_pseudo(head + 22, 32, protocol, (uint32_t)(end - l4)) :
		   loop_pseudo(head + 26, 8, protocol, (uint32_t)(end - l4));
	sum += loop_fold(loop_sum(frame, l4, end));
	return sum % 65535 ? status | STATUS_L4_ERROR : status;
}

/* Copy a frame that lies elsewhere into `views` buffers that have room for it. The way goes by
 * other memory, for buffers may overlap. */
static void loop_move(const struct loop_receiver *receiver, const struct loop_frame *frame,
		      const struct iovec *view)
{
	size_t done = 0;

	for (uint32_t i = 0; i < frame->pieces; i++) {
		memcpy(receiver->scratch + done, frame->piece[i].iov_base, frame->piece[i].iov_len);
		done += frame->piece[i].iov_len;
	}
	done = 0;
	for (uint32_t i = 0; done < frame->length; i++) {
		size_t left = frame->length - done;
		size_t size = view[i].iov_len < left ? view[i].iov_len : left;

		memcpy(view[i].iov_base, receiver->scratch + done, size);
		done += size;
	}
}

/* Tell the driver of a frame in the first buffers of a queue. */
static void loop_tell(struct loop_receiver *receiver, struct loop_rx *rx,
		      volatile uint64_t *completions, size_t length, uint32_t status, uint32_t hash)
{
	struct loop_cq *cq = rx->cq;
	uint64_t second = (receiver->hashed ? hash : 0) | rx->index << 32;
	uint64_t bits = STATUS_FIRST | STATUS_BUFFER;
	size_t left = length;

	do {
		const struct loop_buffer *buffer = &rx->buffers[rx->start++ % rx->depth];
		size_t size = buffer->length < left ? buffer->length : left;
		uint64_t slot = cq->head % cq->depth * 2;

		left -= size;
		if (!left)
			bits = (bits & STATUS_FIRST) | (status & receiver->status_mask) |
			       STATUS_LAST | STATUS_BUFFER;
		completions[slot + 1] = second;
		__atomic_thread_fence(__ATOMIC_RELEASE);
		completions[slot] = bits | loop_phase(cq->head, cq->depth) << 24 |
				    (uint64_t)(size & 0xffff) << 32 | (uint64_t)buffer->id << 48;
		cq->head++;
		bits = STATUS_BUFFER;
	} while (left);
	receiver->packets++;
	receiver->bytes += length;
	for (uint64_t i = 0; i < receiver->told; i++)
		if (receiver->tell[i] == rx->index)
			return;
	receiver->tell[receiver->told++] = rx->index;
}

/* TCP's sequence number, given a virtio-net header that says where TCP begins. */
static uint64_t loop_sequence(const struct loop_frame *frame, size_t l4)
{
	uint64_t value = 0;

	for (size_t i = l4 + 4; i < l4 + 8 && i < frame->head_bytes; i++)
		value = value << 8 | frame->head[i];
	return value;
}

/* Whether a frame with its sum `open` can be delivered to the target of its flow; it was read into
 * the first buffers of `from`, which have `room` bytes. `view` are those that it is to be moved to.
 */
static bool loop_can_deliver(const struct loop_receiver *receiver, const struct loop_rx *from,
			     const struct loop_rx *target, const struct loop_frame *frame,
			     size_t room, struct iovec *view)
{
	uint64_t free = target->end - target->start;

	if (target->stopped || !target->cq->plain || !free ||
	    (target->by_region && free < target->depth / 2))
		return false;
	if (target != from) {
		uint32_t views = loop_views(target, view, receiver->max_descriptors);

		room = 0;
		for (uint32_t i = 0; i < views; i++)
			room += view[i].iov_len;
	}
	return room >= frame->length;
}

/* Deliver a frame. LOOP_FRAME: nothing was done. */
static enum loop_end loop_deliver(struct loop_receiver *receiver, const struct loop_rx *from,
				  const struct loop_frame *frame, size_t room)
{
	const struct loop_flow *flow = loop_flow(receiver->flows, frame->head, frame->head_bytes);
	const uint8_t *header = receiver->header;
	size_t start = loop_le16(header + 6), field = start + loop_le16(header + 8);
	bool open = header[0] & NEEDS_CSUM, whole = header[1];
	struct iovec view[LOOP_PARTS];
	volatile uint64_t *completions;
	struct loop_rx *target;
	uint32_t status;

	if (!flow || flow->queue >= LOOP_QUEUES || !(target = receiver->queue[flow->queue]) ||
	    !loop_can_deliver(receiver, from, target, frame, room, view) ||
	    (open && !whole && field + 2 > frame->length))
		return LOOP_FRAME;
	completions = loop_find_words(target->memory, target->cq->address, target->cq->depth * 16);
	if (!completions)
		return LOOP_FRAME;
	status = flow->status;
	if (open && !whole)
		loop_finish(frame, start, field);
	else if (!header[0] && status & receiver->status_mask & STATUS_L4_CHECKED)
		status = loop_verdict(frame, status);
	if (target != from)
		loop_move(receiver, frame, view);
	receiver->last = target->index;
	receiver->hash = flow->hash;
	receiver->sequence = loop_sequence(frame, start);
	loop_tell(receiver, target, completions, frame->length, status, flow->hash);
	return open && (whole || receiver->watched) ? LOOP_WATCH : LOOP_DONE;
}

/* Take up to `budget` frames from the port into the buffers of `rx`, `usual` of them for each frame
 * at first. */
LOOP_API int loop_receive(struct loop_receiver *receiver, struct loop_rx *rx, int port,
			  uint64_t budget, uint64_t usual)
{
	struct loop_frame frame;

	receiver->frames = receiver->packets = receiver->bytes = receiver->told = 0;
	receiver->last = rx->index;
	if (usual > LOOP_PARTS || receiver->max_descriptors > LOOP_PARTS)
		return LOOP_PORT;
	while (receiver->frames < budget) {
		enum loop_end end;
		ssize_t length;
		size_t room = 0;

		if (rx->start == rx->end)
			return LOOP_NO_BUFFERS;
		frame.pieces = loop_views(rx, frame.piece, usual);
		if (!frame.pieces)
			return LOOP_PORT;
		for (uint32_t i = 0; i < frame.pieces; i++)
			room += frame.piece[i].iov_len;
		receiver->views = frame.pieces;
		length = loop_read(receiver, port, frame.piece, frame.pieces);
		if (length <= 0)
			return length ? LOOP_PORT : LOOP_DONE;
		receiver->frames++;
		receiver->length = frame.length = (size_t)length;
		loop_cut(&frame, receiver);
		end = loop_deliver(receiver, rx, &frame, room);
		loop_answer(receiver->client);
		if (end != LOOP_DONE)
			return end;
		rx = receiver->queue[receiver->last];
	}
	return LOOP_DONE;
}
