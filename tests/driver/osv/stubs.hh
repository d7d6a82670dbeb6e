/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What drivers/ena/osv/ uses of OSv's headers, with no kernel behind it: enough to compile the
 * binding and to run its life cycle in a test. Names and types are OSv's, v0.57.0.
 */
#ifndef OSV_STUBS_HH
#define OSV_STUBS_HH

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

/* osv/mutex.h, osv/condvar.h */
class mutex {
public:
	void lock() { taken = true; }
	void unlock() { taken = false; }

	bool taken = false;
};
#define WITH_LOCK(which) if (std::lock_guard<mutex> held{ which }; true)

class condvar {
public:
	int wait(mutex *which, std::chrono::microseconds limit);
	void wake_all();
};

/* osv/clock.hh */
namespace osv::clock {
struct uptime {
	static std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds> now();
};
struct wall {
	static std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds> now();
};
}

/* osv/sched.hh */
namespace sched {
struct cpu {
	static cpu *current();

	unsigned int id;
	struct {
		unsigned int apic_id;
	} arch;
};
extern std::vector<cpu *> cpus;

class thread {
public:
	struct attr {
		attr &name(std::string name);
		attr &pin(cpu *where);
	};
	static thread *make(std::function<void()> work, attr how);
	static thread *current();
	static void sleep(std::chrono::microseconds time);
	template <class Condition> static void wait_until(Condition condition)
	{
		while (!condition())
			;
	}
	void start();
	void wake();
	void wake_with_irq_disabled();
};

class timer {
public:
	explicit timer(thread &owner);
	bool expired() const;
	void set(std::chrono::seconds period);
};
}

/* osv/contiguous_alloc.hh, osv/virt_to_phys.hh */
namespace memory {
void *alloc_phys_contiguous_aligned(size_t size, size_t align);
void free_phys_contiguous_aligned(void *memory);
}
namespace mmu {
uint64_t virt_to_phys(void *address);
}

/* drivers/pci-device.hh, osv/msi.hh */
namespace hw {
struct hw_device {
	bool is_attached();
	void set_attached();
};
struct hw_device_id {
	uint16_t vendor, device;
};
struct device_manager {
	static device_manager *instance();
	hw_device *get_device(hw_device_id id, unsigned int number);
};
}
namespace pci {
struct bar {
	bool is_mmio();
	void map();
	uint64_t get_size();
	volatile void *get_mmio();
};
struct device : hw::hw_device {
	bar *get_bar(int number);
	void get_bdf(uint8_t &bus, uint8_t &device, uint8_t &function);
	uint8_t get_revision_id();
	bool is_msix();
	void msix_enable();
	void set_bus_master(bool on);
};
}
struct msix_vector {
	void set_affinity(sched::cpu *where);
};
struct interrupt_manager {
	explicit interrupt_manager(pci::device *device);
	std::vector<msix_vector *> request_vectors(unsigned int count);
	bool assign_isr(msix_vector *vector, std::function<void()> handler);
	bool setup_entry(unsigned int entry, msix_vector *vector);
	void unmask_interrupts(const std::vector<msix_vector *> &vectors);
};

/* bsd/: param.h, mbuf.h, netinet/ */
#define PAGE_SIZE 4096
#define MJUMPAGESIZE PAGE_SIZE
#define M_DONTWAIT 1
#define MT_DATA 1
#define M_PKTHDR 0x2
#define M_FLOWID 0x400000
#define CSUM_TCP 0x2
#define CSUM_UDP 0x4
#define CSUM_TSO 0x20
#define CSUM_DATA_VALID 0x400
#define CSUM_PSEUDO_HDR 0x800
#define ETHER_HDR_LEN 14
#define ETHER_VLAN_ENCAP_LEN 4
#define IP_DF 0x4000

typedef char *caddr_t;
typedef unsigned long u_long;
struct ifnet;
struct pkthdr {
	ifnet *rcvif;
	int len, csum_flags, csum_data;
	uint16_t tso_segsz;
	uint32_t flowid;
};
struct mbuf {
	struct {
		mbuf *mh_next, *mh_nextpkt;
		caddr_t mh_data;
		int mh_len, mh_flags;
	} m_hdr;
	struct {
		struct {
			pkthdr MH_pkthdr;
		} MH;
	} M_dat;
};
struct ip {
	uint8_t ip_hl : 4, ip_v : 4;
	uint8_t ip_tos;
	uint16_t ip_len, ip_id, ip_off;
};
struct tcphdr {
	uint16_t th_sport, th_dport;
	uint32_t th_seq, th_ack;
	uint8_t th_x2 : 4, th_off : 4;
};
mbuf *m_getjcl(int how, short type, int flags, int size);
mbuf *m_defrag(mbuf *packet, int how);
void m_freem(mbuf *packet);
void m_copydata(const mbuf *packet, int offset, int length, caddr_t to);

/* bsd/: net/if.h, if_var.h, if_types.h, osv/ioctl.h */
#define IFNAMSIZ 16
#define IFT_ETHER 6
#define IFF_UP 0x1
#define IFF_BROADCAST 0x2
#define IFF_DRV_RUNNING 0x40
#define IFF_SIMPLEX 0x800
#define IFF_MULTICAST 0x8000
#define IFCAP_RXCSUM 0x1
#define IFCAP_TXCSUM 0x2
#define IFCAP_JUMBO_MTU 0x20
#define IFCAP_TSO4 0x100
#define IFCAP_LINKSTATE 0x80000
#define IFCAP_HWSTATS 0x100000
#define LINK_STATE_DOWN 1
#define LINK_STATE_UP 2
enum { SIOCSIFFLAGS = 1, SIOCSIFMTU, SIOCADDMULTI, SIOCDELMULTI };

struct if_data {
	u_long ifi_opackets, ifi_obytes, ifi_oerrors, ifi_ipackets, ifi_ibytes, ifi_iqdrops;
};
struct bsd_ifreq {
	int ifr_mtu;
};
struct ifnet {
	char if_xname[IFNAMSIZ];
	void *if_softc;
	int if_flags, if_drv_flags, if_capabilities, if_capenable, if_hwassist;
	u_long if_mtu;
	struct if_data if_data;
	struct {
		bool post_packet(mbuf *packet);
	} if_classifier;
	void (*if_init)(void *softc);
	int (*if_ioctl)(ifnet *interface, u_long request, caddr_t data);
	int (*if_transmit)(ifnet *interface, mbuf *packet);
	void (*if_qflush)(ifnet *interface);
	void (*if_getinfo)(ifnet *interface, struct if_data *counters);
	void (*if_input)(ifnet *interface, mbuf *packet);
};
ifnet *if_alloc(unsigned char type);
ifnet *ifunit(const char *name);
void if_initname(ifnet *interface, const char *name, int unit);
void if_link_state_change(ifnet *interface, int state);
void ether_ifattach(ifnet *interface, const uint8_t *mac);
int ether_ioctl(ifnet *interface, u_long request, caddr_t data);

#endif
