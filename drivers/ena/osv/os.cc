/* SPDX-License-Identifier: BSD-3-Clause */
/* ena_os.h for OSv. */
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <osv/clock.hh>
#include <osv/contiguous_alloc.hh>
#include <osv/virt_to_phys.hh>
#include "drivers/pci-device.hh"

#include "ena_osv.hh"

#define PAGE 4096

uint32_t ena_os_read(ena_os *os, uint32_t offset)
{
	return *reinterpret_cast<volatile uint32_t *>(os->registers + offset);
}

void ena_os_write(ena_os *os, uint32_t offset, uint32_t value)
{
	*reinterpret_cast<volatile uint32_t *>(os->registers + offset) = value;
}

void ena_os_write_llq(ena_os *os, uint32_t offset, const uint64_t *source, size_t words)
{
	auto to = reinterpret_cast<volatile uint64_t *>(os->llq + offset);

	for (size_t i = 0; i < words; i++)
		to[i] = source[i];
}

bool ena_os_dma_alloc(ena_os *os, size_t size, ena_dma *dma)
{
	dma->memory = memory::alloc_phys_contiguous_aligned(size, PAGE);
	if (!dma->memory)
		return false;
	memset(dma->memory, 0, size);
	dma->address = mmu::virt_to_phys(dma->memory);
	dma->size = size;
	return true;
}

void ena_os_dma_free(ena_os *os, ena_dma *dma)
{
	memory::free_phys_contiguous_aligned(dma->memory);
}

void *ena_os_alloc(ena_os *os, size_t size)
{
	return calloc(1, size);
}

void ena_os_free(ena_os *os, void *memory)
{
	free(memory);
}

void ena_os_bus_master(ena_os *os, bool on)
{
	os->device->set_bus_master(on);
}

void ena_os_write_barrier(void)
{
	std::atomic_thread_fence(std::memory_order_release);
}

void ena_os_read_barrier(void)
{
	std::atomic_thread_fence(std::memory_order_acquire);
}

/* OSv maps the device's memory uncached: its stores are in order already. */
void ena_os_llq_barrier(void)
{
	std::atomic_thread_fence(std::memory_order_seq_cst);
}

uint64_t ena_os_now(ena_os *os)
{
	auto now = osv::clock::uptime::now().time_since_epoch();

	return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

void ena_os_sleep(ena_os *os, uint32_t microseconds)
{
	sched::thread::sleep(std::chrono::microseconds(microseconds));
}

void ena_os_lock(ena_os *os)
{
	os->admin.lock();
}

void ena_os_unlock(ena_os *os)
{
	os->admin.unlock();
}

void ena_os_wait(ena_os *os, uint32_t microseconds)
{
	WITH_LOCK(os->wait) {
		if (!os->is_woken)
			os->woken.wait(&os->wait, std::chrono::microseconds(microseconds));
		os->is_woken = false;
	}
}

void ena_os_wake(ena_os *os)
{
	WITH_LOCK(os->wait) {
		os->is_woken = true;
		os->woken.wake_all();
	}
}

void ena_os_drain_interrupt(ena_os *os)
{
	WITH_LOCK(os->interrupt) {
	}
}

/* News for the manager: whoever brings them may hold locks that it needs. */
void ena_os_link(ena_os *os, bool up)
{
	os->link = up;
	os->link_changed = true;
	os->manager.wake();
}

void ena_os_want_reset(ena_os *os)
{
	os->reset_wanted = true;
	os->manager.wake();
}

void ena_os_want_poll(ena_os *os, unsigned int pair)
{
	os->pair[pair].poller.wake();
}

void ena_os_log(ena_os *os, ena_log_level level, const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	printf("ena: %s\n", line);
}

void worker::start(const char *name, void (*work)(void *, bool), void *argument, sched::cpu *cpu,
		   std::chrono::seconds period)
{
	auto attributes = sched::thread::attr().name(name).pin(cpu);

	thread = sched::thread::make([=] {
		sched::timer timer(*sched::thread::current());

		for (bool tick = period.count();; tick = period.count() && timer.expired()) {
			if (tick)
				timer.set(period);
			wanted = false;
			work(argument, tick);
			sched::thread::wait_until([&] { return wanted || timer.expired(); });
		}
	}, attributes);
	thread->start();
}

/* News may come before the thread is there: it begins with a call of `work`. */
void worker::wake()
{
	wanted = true;
	if (thread)
		thread->wake();
}

void worker::wake_from_interrupt()
{
	wanted = true;
	thread->wake_with_irq_disabled();
}
