// SPDX-License-Identifier: BSD-3-Clause
/* ena_os.h for Linux. */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/io.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "ena_linux.h"

uint32_t ena_os_read(struct ena_os *os, uint32_t offset)
{
	return readl(os->registers + offset);
}

void ena_os_write(struct ena_os *os, uint32_t offset, uint32_t value)
{
	writel(value, os->registers + offset);
}

void ena_os_write_llq(struct ena_os *os, uint32_t offset, const uint64_t *source, size_t words)
{
	__iowrite64_copy(os->llq + offset, source, words);
}

bool ena_os_dma_alloc(struct ena_os *os, size_t size, struct ena_dma *dma)
{
	dma_addr_t address;

	dma->memory = dma_alloc_coherent(&os->pdev->dev, size, &address, GFP_KERNEL);
	dma->address = address;
	dma->size = size;
	return dma->memory;
}

void ena_os_dma_free(struct ena_os *os, struct ena_dma *dma)
{
	dma_free_coherent(&os->pdev->dev, dma->size, dma->memory, dma->address);
}

void *ena_os_alloc(struct ena_os *os, size_t size)
{
	return kvzalloc(size, GFP_KERNEL);
}

void ena_os_free(struct ena_os *os, void *memory)
{
	kvfree(memory);
}

void ena_os_bus_master(struct ena_os *os, bool on)
{
	if (on)
		pci_set_master(os->pdev);
	else
		pci_clear_master(os->pdev);
}

/* writel orders a doorbell after stores to memory; this keeps the compiler and weaker CPUs. */
void ena_os_write_barrier(void)
{
	dma_wmb();
}

void ena_os_read_barrier(void)
{
	dma_rmb();
}

/* Empties the write-combining buffers. */
void ena_os_llq_barrier(void)
{
	wmb();
}

uint64_t ena_os_now(struct ena_os *os)
{
	return ktime_to_us(ktime_get());
}

void ena_os_sleep(struct ena_os *os, uint32_t microseconds)
{
	if (microseconds < 10)
		udelay(microseconds);
	else
		usleep_range(microseconds, microseconds + microseconds / 4 + 1);
}

void ena_os_lock(struct ena_os *os)
{
	mutex_lock(&os->admin_lock);
}

void ena_os_unlock(struct ena_os *os)
{
	mutex_unlock(&os->admin_lock);
}

void ena_os_wait(struct ena_os *os, uint32_t microseconds)
{
	ktime_t limit = ns_to_ktime((u64)microseconds * NSEC_PER_USEC);

	wait_event_hrtimeout(os->wait, xchg(&os->woken, 0), limit);
}

void ena_os_wake(struct ena_os *os)
{
	WRITE_ONCE(os->woken, 1);
	wake_up(&os->wait);
}

void ena_os_drain_interrupt(struct ena_os *os)
{
	if (os->irq)
		synchronize_irq(os->irq);
}

void ena_os_link(struct ena_os *os, bool up)
{
	WRITE_ONCE(os->link, up);
	ena_linux_update_carrier(os);
	dev_info(&os->pdev->dev, "link is %s\n", up ? "up" : "down");
}

void ena_os_want_reset(struct ena_os *os)
{
	if (!READ_ONCE(os->removing))
		schedule_work(&os->recovery);
}

void ena_os_want_poll(struct ena_os *os, unsigned int pair)
{
	if (!READ_ONCE(os->traffic))
		return;
	local_bh_disable();
	napi_schedule(&os->pair[pair].napi);
	local_bh_enable();
}

void ena_os_log(struct ena_os *os, enum ena_log_level level, const char *format, ...)
{
	struct va_format message = { .fmt = format };
	va_list arguments;

	if (!net_ratelimit())
		return;
	va_start(arguments, format);
	message.va = &arguments;
	if (level == ENA_LOG_ERROR)
		dev_err(&os->pdev->dev, "%pV\n", &message);
	else
		dev_warn(&os->pdev->dev, "%pV\n", &message);
	va_end(arguments);
}
