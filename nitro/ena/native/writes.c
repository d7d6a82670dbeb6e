/* SPDX-License-Identifier: BSD-3-Clause */
/* A vfio-user client's writes to registers and LLQ memory (vfio/session.py).
 *
 * Posted ones come in heaps: sixteen make an LLQ entry. Where LLQ memory is mapped into the guest,
 * QEMU waits for the answer to each write to a register, and the guest's processor with it: they
 * are answered as soon as they are seen, and carried out afterwards. */
#include <sys/socket.h>

#include "loop.h"

#define REGION_WRITE 10
#define BAR0 0
#define BAR2 2
#define REPLY 1
#define NO_REPLY 0x10

/* A request to read or write a region; the data follow. */
struct loop_message {
	uint16_t id, command;
	uint32_t size, flags, error;
	uint64_t offset;
	uint32_t region, count;
};

#define REGISTER_WRITE_BYTES (sizeof(struct loop_message) + 4)

/* Whether a message is a write to a register as it should be, and there is room to list it. */
static bool loop_writes_register(const struct loop_client *client,
				 const struct loop_message *message)
{
	return message->command == REGION_WRITE && !message->error &&
	       message->size == REGISTER_WRITE_BYTES && message->region == BAR0 &&
	       message->count == 4 && !(message->offset & 3) &&
	       message->offset < client->bar0_bytes && client->listed < LOOP_WRITES;
}

static void loop_list(struct loop_client *client, const struct loop_message *message,
		      const uint8_t *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	client->list[client->listed++] = message->offset | (uint64_t)value << 32;
}

/* Answer a write; false if the client does not take the answer now, or is not to have it before the
 * write is carried out. */
static bool loop_reply(const struct loop_client *client, struct loop_message message)
{
	message.size = sizeof(message);
	message.flags = REPLY;
	return client->socket >= 0 && send((int)client->socket, &message, sizeof(message),
					   MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(message);
}

/* Carry out the writes to LLQ memory, `words` of eight bytes, that the messages begin with, and list
 * those to registers, up to a message that is not as it should be or no room in the list; returns
 * the messages' length.
 *
 * The model does what is in the list afterwards: no register looks at LLQ memory. */
LOOP_API uint64_t loop_write(struct loop_client *client, const uint8_t *data, uint64_t bytes,
			     uint8_t *llq, uint64_t words)
{
	uint64_t done = 0, value;

	while (bytes - done >= REGISTER_WRITE_BYTES) {
		const uint8_t *at = data + done + sizeof(struct loop_message);
		struct loop_message message;

		memcpy(&message, data + done, sizeof(message));
		if (loop_writes_register(client, &message)) {
			if (message.flags != NO_REPLY &&
			    (message.flags || !loop_reply(client, message)))
				break;
			loop_list(client, &message, at);
		} else if (message.command == REGION_WRITE && message.flags == NO_REPLY &&
			   !message.error && message.region == BAR2 && message.count == 8 &&
			   message.size == sizeof(message) + 8 && message.size <= bytes - done &&
			   !(message.offset & 7) && message.offset / 8 < words) {
			memcpy(&value, at, sizeof(value));
			memcpy(llq + message.offset, &value, sizeof(value));
		} else {
			break;
		}
		done += message.size;
	}
	return done;
}

/* Answer and list the awaited writes to registers that have arrived, before more work makes the
 * client wait for them. Whatever else has come stays in the socket: it may bring descriptors. */
void loop_answer(struct loop_client *client)
{
	uint8_t data[REGISTER_WRITE_BYTES];
	struct loop_message message;
	int socket = (int)client->socket;

	while (socket >= 0 &&
	       recv(socket, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT) == sizeof(data)) {
		memcpy(&message, data, sizeof(message));
		if (message.flags || !loop_writes_register(client, &message) ||
		    !loop_reply(client, message))
			return;
		recv(socket, data, sizeof(data), MSG_DONTWAIT);
		loop_list(client, &message, data + sizeof(message));
	}
}
