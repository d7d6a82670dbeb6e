/* SPDX-License-Identifier: BSD-3-Clause */
/* Looking for events while awake (vfio/native_poller.py). */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "loop.h"

static uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool loop_is_readable(int socket)
{
	char byte;

	return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

/* Look, for up to `nanoseconds` but at least once, whether the client can be read and whether `epoll`
 * has events: LOOP_CLIENT and LOOP_OTHERS, or 0. LOOP_CROWDED: another process had the processor
 * for more than `crowded` nanoseconds.
 *
 * The client's socket is not in `epoll`: there, each of its many messages would cost the sender a
 * tenth more. */
LOOP_API int loop_ask(int client, int epoll, uint64_t nanoseconds, uint64_t crowded)
{
	uint64_t begin = loop_now(), last = begin, now;
	struct epoll_event event;

	for (;;) {
		int found = loop_is_readable(client) ? LOOP_CLIENT : 0;

		if (epoll_wait(epoll, &event, 1, 0) > 0)
			found |= LOOP_OTHERS;
		now = loop_now();
		if (found || now - begin >= nanoseconds)
			return found;
		if (now - last > crowded)
			return LOOP_CROWDED;
		last = now;
		sched_yield();
	}
}
