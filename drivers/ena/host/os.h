/* SPDX-License-Identifier: BSD-3-Clause */
/* The process as an operating system. */
#ifndef OS_H
#define OS_H

#include "../core/ena.h"
#include "host.h"

#define OS_PAGE 4096

struct ena_os {
	struct host_card card;
	uint8_t *arena;
	uint64_t address;
	size_t page_count, next_page;
	uint8_t *page_used;
	size_t allocated; /* bytes, of both kinds of memory */
	uint64_t now;     /* microseconds */
	bool woken;
	int locked;
};

bool os_new(struct ena_os *os, void *arena, size_t size, uint64_t address);
void os_delete(struct ena_os *os);
void *os_pages(struct ena_os *os, size_t size, uint64_t *address);
void os_free_pages(struct ena_os *os, void *memory, size_t size);

#endif
