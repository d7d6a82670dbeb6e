/* SPDX-License-Identifier: BSD-3-Clause */
/* What runs when the kernel opens the shared object: finds cards, gives each an interface. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <osv/clock.hh>
#include <osv/msi.hh>
#include <osv/sched.hh>
#include <osv/version.h>
#include "drivers/pci-device.hh"

#include "ena_osv.hh"

#define AMAZON 0x1d0f
#define OS_LINUX 1 /* as the device numbers systems; OSv has no number */
#define DEFAULT_DEPTH 1024

/* With this section the kernel puts all of the file into memory when it opens it: an interrupt
 * must not wait for a page. */
asm(".pushsection .note.osv-mlock, \"a\"; .long 0, 0, 0; .popsection");

static volatile char *ena_osv_map_bar(pci::bar *bar, uint32_t *bytes)
{
	if (!bar || !bar->is_mmio())
		return nullptr;
	bar->map();
	*bytes = bar->get_size();
	return static_cast<volatile char *>(bar->get_mmio());
}

/* What a vector is directed at: in some versions a processor, in others its APIC id. */
struct target {
	sched::cpu *cpu;
	operator sched::cpu *() const { return cpu; }
	operator unsigned() const { return cpu->arch.apic_id; }
};

/* Interrupt number `entry` of the card wakes `who`, which runs on `cpu`. */
static void ena_osv_route_interrupt(ena_os *os, const std::vector<msix_vector *> &vectors,
				    unsigned int entry, worker *who, sched::cpu *cpu)
{
	interrupt_manager interrupts(os->device);
	msix_vector *vector = vectors[entry];

	interrupts.assign_isr(vector, [who] { who->wake_from_interrupt(); });
	interrupts.setup_entry(entry, vector);
	vector->set_affinity(target{ cpu });
	interrupts.unmask_interrupts({ vector });
}

/* Good enough for who cannot see the machine: the key decides what flows share a queue. */
static void ena_osv_fill_at_random(uint8_t *bytes, size_t size)
{
	uint64_t state = osv::clock::wall::now().time_since_epoch().count();

	for (size_t i = 0; i < size; i++) {
		state += osv::clock::uptime::now().time_since_epoch().count();
		state *= 6364136223846793005; /* Knuth's MMIX */
		bytes[i] = state >> 56;
	}
}

static int ena_osv_attach(ena_os *os, uint16_t vectors)
{
	ena_config config = {};
	uint8_t bus, device, function;

	os->device->get_bdf(bus, device, function);
	config.os = os;
	config.register_bytes = os->register_bytes;
	config.llq_bytes = os->llq_bytes;
	config.plain_reads = os->device->get_revision_id() & 1;
	config.pci_address = bus << 8 | device << 3 | function;
	config.cpus = sched::cpus.size();
	config.vectors = vectors;
	config.os_type = OS_LINUX;
	config.os_name = "OSv";
	config.os_version = OSV_VERSION;
	ena_osv_fill_at_random(config.hash_key, sizeof(config.hash_key));
	return ena_attach(&os->ena, &config);
}

static void ena_osv_start_pairs(ena_os *os, const std::vector<msix_vector *> &vectors)
{
	const ena_limits *limits = &os->ena.limits;
	size_t pairs = std::min<size_t>(limits->max_pairs, vectors.size() - 1);
	char name[16];

	os->tx_depth = std::min<uint16_t>(limits->max_tx_depth, DEFAULT_DEPTH);
	os->rx_depth = std::min<uint16_t>(limits->max_rx_depth, DEFAULT_DEPTH);
	os->pair = new queue_pair[pairs]();
	os->pairs = pairs;
	for (uint16_t i = 0; i < pairs; i++) {
		queue_pair *pair = &os->pair[i];
		sched::cpu *cpu = sched::cpus[i % sched::cpus.size()];

		pair->os = os;
		pair->number = i;
		snprintf(name, sizeof(name), "ena-%u", i);
		pair->poller.start(name, ena_osv_poll, pair, cpu);
		ena_osv_route_interrupt(os, vectors, 1 + i, &pair->poller, cpu);
	}
}

static void ena_osv_handle_events(void *argument, bool)
{
	auto os = static_cast<ena_os *>(argument);

	WITH_LOCK(os->interrupt) {
		ena_interrupt(&os->ena);
	}
}

static void ena_osv_manage(void *argument, bool tick)
{
	auto os = static_cast<ena_os *>(argument);

	if (os->link_changed.exchange(false))
		ena_osv_announce_link(os);
	WITH_LOCK(os->life) {
		if (os->reset_wanted.exchange(false))
			ena_osv_recover(os);
		else if (tick)
			ena_osv_watch(os);
	}
}

/* A milestone of the boot for who reads the console: a line of JSON. */
void ena_osv_report(const char *milestone, const char *fields)
{
	double seconds = osv::clock::uptime::now().time_since_epoch().count() / 1e9;

	printf("{\"nitro\":\"%s\",\"uptime\":%.3f%s}\n", milestone, seconds, fields);
}

/* Returns what went wrong, or NULL. Then boot goes on without the card; what has been made for it
 * stays, as interrupts may still point there. */
static const char *ena_osv_drive(pci::device *device)
{
	auto os = new ena_os();

	os->device = device;
	os->registers = ena_osv_map_bar(device->get_bar(1), &os->register_bytes);
	os->llq = ena_osv_map_bar(device->get_bar(3), &os->llq_bytes);
	if (!os->registers || !device->is_msix())
		return "it has no registers or no MSI-X";
	size_t wanted = 1 + std::min<size_t>(sched::cpus.size(), ENA_MAX_PAIRS);
	auto vectors = interrupt_manager(device).request_vectors(wanted);
	if (vectors.size() < 2)
		return "it has too few interrupts";

	os->ena.os = os; /* an interrupt may come before ena_attach */
	os->events.start("ena-events", ena_osv_handle_events, os, sched::cpus[0]);
	device->msix_enable();
	ena_osv_route_interrupt(os, vectors, 0, &os->events, sched::cpus[0]);
	if (ena_osv_attach(os, vectors.size()))
		return "it does not start";
	ena_osv_start_pairs(os, vectors);
	ena_osv_interface_attach(os);
	os->manager.start("ena", ena_osv_manage, os, nullptr, std::chrono::seconds(1));
	ena_osv_report("driver", ",\"driver\":\"nitro_ena\",\"kind\":\"nitro\"");
	return nullptr;
}

static void ena_osv_drive_all(uint16_t id)
{
	auto manager = hw::device_manager::instance();
	hw::hw_device *found;

	for (unsigned int i = 0; (found = manager->get_device({ AMAZON, id }, i)); i++) {
		const char *trouble = "another driver has it";

		if (!found->is_attached()) {
			found->set_attached();
			trouble = ena_osv_drive(static_cast<pci::device *>(found));
		}
		if (trouble)
			printf("ena: a card is left alone: %s\n", trouble);
	}
}

/* Nothing else tells a kernel with other structures from the one whose headers were used. */
__attribute__((constructor)) static void ena_osv_load()
{
	const char *version = getenv("OSV_VERSION");

	if (!version || strcmp(version, OSV_VERSION)) {
		printf("ena: this driver is for OSv " OSV_VERSION ", not for %s\n",
		       version ? version : "this kernel");
		return;
	}
	for (uint16_t id : { 0x0051, 0x0ec2, 0x1ec2, 0xec20, 0xec21 })
		ena_osv_drive_all(id);
}

/* The kernel does not lend this to others; no exception is caught or outlived here. */
extern "C" __attribute__((visibility("hidden"))) void _Unwind_Resume(void *)
{
	abort();
}
