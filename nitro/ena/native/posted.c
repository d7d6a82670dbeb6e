/* SPDX-License-Identifier: BSD-3-Clause */
/* Posted writes of a vfio-user client (vfio/session.py): sixteen make an LLQ entry. */
#include "loop.h"

#define REGION_WRITE 10
#define NO_REPLY 0x10
#define BAR0 0
#define BAR2 2

struct loop_message {
	uint16_t id, command;
	uint32_t size, flags, error;
	uint64_t offset;
	uint32_t region, count;
};

/* Carry out the posted writes to LLQ memory, `words` of eight bytes, that the messages begin with,
 * and list those of registers, up to one that is not as it should be or `most` in the list; returns
 * the messages' length. An entry of the list has the offset below and the value above.
 *
 * The model does what is in the list afterwards: no register looks at LLQ memory. */
LOOP_API uint64_t loop_posted(const uint8_t *data, uint64_t bytes, uint8_t *llq, uint64_t words,
			      uint64_t bar0_bytes, uint64_t *list, uint64_t most, uint64_t *listed)
{
	uint64_t done = 0, value;

	*listed = 0;
	while (bytes - done >= sizeof(struct loop_message) + 4) {
		struct loop_message message;

		memcpy(&message, data + done, sizeof(message));
		if (message.command != REGION_WRITE || message.flags != NO_REPLY || message.error ||
		    message.size != sizeof(message) + message.count ||
		    message.size > bytes - done)
			break;
		if (message.region == BAR0 && message.count == 4) {
			uint32_t written;

			if (message.offset & 3 || message.offset >= bar0_bytes || *listed == most)
				break;
			memcpy(&written, data + done + sizeof(message), sizeof(written));
			list[(*listed)++] = message.offset | (uint64_t)written << 32;
		} else if (message.region == BAR2 && message.count == 8) {
			if (message.offset & 7 || message.offset / 8 >= words)
				break;
			memcpy(&value, data + done + sizeof(message), sizeof(value));
			memcpy(llq + message.offset, &value, sizeof(value));
		} else {
			break;
		}
		done += message.size;
	}
	return done;
}
