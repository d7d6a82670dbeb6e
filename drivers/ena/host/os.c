/* SPDX-License-Identifier: BSD-3-Clause */
/* ena_os.h for a process: an arena shared with the card, virtual time, callbacks. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

/* Free pages are poisoned: a driver or card that uses memory after its release is found out. */
void *os_pages(struct ena_os *os, size_t size, uint64_t *address)
{
	size_t wanted = (size + OS_PAGE - 1) / OS_PAGE, run = 0;

	for (size_t tried = 0, i = os->next_page; tried < 2 * os->page_count; tried++, i++) {
		if (i >= os->page_count) {
			i = 0;
			run = 0;
		}
		run = os->page_used[i] ? 0 : run + 1;
		if (run < wanted)
			continue;
		size_t first = i + 1 - wanted;
		uint8_t *memory = os->arena + first * OS_PAGE;

		memset(os->page_used + first, 1, wanted);
		ASAN_UNPOISON_MEMORY_REGION(memory, wanted * OS_PAGE);
		os->next_page = i + 1;
		os->allocated += wanted * OS_PAGE;
		*address = os->address + first * OS_PAGE;
		return memory;
	}
	return NULL;
}

void os_free_pages(struct ena_os *os, void *memory, size_t size)
{
	size_t count = (size + OS_PAGE - 1) / OS_PAGE;
	size_t first = (size_t)((uint8_t *)memory - os->arena) / OS_PAGE;

	memset(os->page_used + first, 0, count);
	ASAN_POISON_MEMORY_REGION(memory, count * OS_PAGE);
	os->allocated -= count * OS_PAGE;
}

bool os_new(struct ena_os *os, void *arena, size_t size, uint64_t address)
{
	os->arena = arena;
	os->address = address;
	os->page_count = size / OS_PAGE;
	os->page_used = calloc(os->page_count, 1);
	os->now = 1000000;
	ASAN_POISON_MEMORY_REGION(arena, size);
	return os->page_used;
}

void os_delete(struct ena_os *os)
{
	ASAN_UNPOISON_MEMORY_REGION(os->arena, os->page_count * OS_PAGE);
	free(os->page_used);
}

uint32_t ena_os_read(struct ena_os *os, uint32_t offset)
{
	return os->card.read(os->card.context, offset);
}

void ena_os_write(struct ena_os *os, uint32_t offset, uint32_t value)
{
	os->card.write(os->card.context, offset, value);
}

void ena_os_write_llq(struct ena_os *os, uint32_t offset, const uint64_t *source, size_t words)
{
	os->card.write_llq(os->card.context, offset, source, (uint32_t)(8 * words));
}

bool ena_os_dma_alloc(struct ena_os *os, size_t size, struct ena_dma *dma)
{
	dma->memory = os_pages(os, size, &dma->address);
	if (!dma->memory)
		return false;
	dma->size = size;
	memset(dma->memory, 0, size);
	return true;
}

void ena_os_dma_free(struct ena_os *os, struct ena_dma *dma)
{
	os_free_pages(os, dma->memory, dma->size);
}

void *ena_os_alloc(struct ena_os *os, size_t size)
{
	size_t *block = calloc(1, size + sizeof(max_align_t));

	if (!block)
		return NULL;
	*block = size;
	os->allocated += size;
	return (uint8_t *)block + sizeof(max_align_t);
}

void ena_os_free(struct ena_os *os, void *memory)
{
	size_t *block;

	if (!memory)
		return;
	block = (size_t *)(void *)((uint8_t *)memory - sizeof(max_align_t));
	os->allocated -= *block;
	free(block);
}

void ena_os_bus_master(struct ena_os *os, bool on)
{
	os->card.bus_master(os->card.context, on);
}

void ena_os_write_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void ena_os_read_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

void ena_os_llq_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

uint64_t ena_os_now(struct ena_os *os)
{
	return os->now;
}

void ena_os_sleep(struct ena_os *os, uint32_t microseconds)
{
	os->now += microseconds;
	os->card.run(os->card.context, microseconds);
}

void ena_os_lock(struct ena_os *os)
{
	if (os->locked++)
		abort(); /* one thread: the core took its lock twice */
}

void ena_os_unlock(struct ena_os *os)
{
	os->locked--;
}

void ena_os_wait(struct ena_os *os, uint32_t microseconds)
{
	if (!os->woken)
		ena_os_sleep(os, microseconds);
	os->woken = false;
}

void ena_os_wake(struct ena_os *os)
{
	os->woken = true;
}

void ena_os_drain_interrupt(struct ena_os *os)
{
	(void)os; /* interrupts are calls on the one thread there is */
}

void ena_os_link(struct ena_os *os, bool up)
{
	os->card.link(os->card.context, up);
}

void ena_os_want_reset(struct ena_os *os)
{
	os->card.want_reset(os->card.context);
}

void ena_os_want_poll(struct ena_os *os, unsigned int pair)
{
	os->card.want_poll(os->card.context, pair);
}

void ena_os_log(struct ena_os *os, enum ena_log_level level, const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	os->card.log(os->card.context, (int)level, line);
}
