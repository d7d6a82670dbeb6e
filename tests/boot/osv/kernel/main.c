/* What an OSv kernel does with its RAMFS, and nothing else: walks it, and prints what it finds.
 *
 * Every line is for tests/boot/osv: `file NAME SIZE BLAKE2b-256 [CONTENT]`, `link NAME TARGET`,
 * `folder NAME`, and how the kernel was started. A small content is printed in hexadecimal digits. */
#include <stddef.h>
#include <stdint.h>

#define COM1 0x3f8
#define PAGE 4096
#define SCRATCH (1 << 20)
#define SHOWN 16

struct entry {
	uint64_t size, offset;
	int8_t type;
	char name[111];
};

struct map_entry { /* as the BIOS's map has it, behind its own size */
	uint32_t entry_size;
	uint64_t address, size;
	uint32_t type;
} __attribute__((packed));

extern const struct entry ramfs[];
extern const uint64_t pvh_info, bios_info, free_memory;
static uint8_t cleared[PAGE];
static const char release[] = "OSv v0.0.0-test\n"; /* as OSv's first line names its version */

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static void put(const char *text)
{
	for (; *text; text++)
		out8(COM1, *text); /* QEMU's port is never busy */
}

static void put_number(uint64_t value)
{
	char digits[21], *at = digits + 20;

	*at = 0;
	do
		*--at = '0' + value % 10;
	while (value /= 10);
	put(at);
}

static void put_hex(const uint8_t *bytes, size_t count)
{
	const char *digits = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		out8(COM1, digits[bytes[i] >> 4]);
		out8(COM1, digits[bytes[i] & 15]);
	}
}

/* BLAKE2b with 32 bytes of digest and no key: RFC 7693. */

static const uint64_t iv[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint64_t rotate(uint64_t word, int count)
{
	return word >> count | word << (64 - count);
}

static void mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 32);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 24);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 63);
}

static void compress(uint64_t *h, const uint64_t *m, uint64_t counted, int last)
{
	uint64_t v[16];

	for (int i = 0; i < 8; i++) {
		v[i] = h[i];
		v[i + 8] = iv[i];
	}
	v[12] ^= counted;
	if (last)
		v[14] = ~v[14];
	for (int round = 0; round < 12; round++) {
		const uint8_t *s = sigma[round % 10];

		for (int i = 0; i < 4; i++)
			mix(v, i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
		for (int i = 0; i < 4; i++)
			mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, m[s[8 + 2 * i]],
			    m[s[9 + 2 * i]]);
	}
	for (int i = 0; i < 8; i++)
		h[i] ^= v[i] ^ v[i + 8];
}

static void put_digest(const uint8_t *data, uint64_t size)
{
	uint64_t h[8], block[16], done = 0;

	for (int i = 0; i < 8; i++)
		h[i] = iv[i];
	h[0] ^= 0x01010020;
	for (; size - done > sizeof(block); done += sizeof(block))
		compress(h, (const uint64_t *)(data + done), done + sizeof(block), 0);
	for (size_t i = 0; i < sizeof(block); i++)
		((uint8_t *)block)[i] = done + i < size ? data[done + i] : 0;
	compress(h, block, size, 1);
	put_hex((uint8_t *)h, 32);
}

static uint64_t read64(uint64_t address)
{
	return *(const uint64_t *)address;
}

static uint64_t memory_of_bios(void)
{
	uint64_t at = *(const uint32_t *)(bios_info + 48), total = 0;
	uint64_t end = at + *(const uint32_t *)(bios_info + 44);

	for (; at < end; at += ((const struct map_entry *)at)->entry_size + 4)
		if (((const struct map_entry *)at)->type == 1)
			total += ((const struct map_entry *)at)->size;
	return total;
}

static uint64_t memory_of_pvh(void)
{
	uint64_t at = read64(pvh_info + 40), total = 0;
	uint32_t count = *(const uint32_t *)(pvh_info + 48);

	for (; count; count--, at += 24)
		if (*(const uint32_t *)(at + 16) == 1)
			total += read64(at + 8);
	return total;
}

static void put_start(void)
{
	uint64_t line = bios_info ? *(const uint32_t *)(bios_info + 16) : read64(pvh_info + 24);

	put(bios_info ? "entered bios\n" : "entered pvh\n");
	put("memory ");
	put_number((bios_info ? memory_of_bios() : memory_of_pvh()) >> 20);
	put("\ncommand line ");
	put((const char *)line);
	put("\n");
}

static void put_entry(const struct entry *entry)
{
	const uint8_t *content = (const uint8_t *)ramfs + entry->offset;
	size_t length = 0;

	while (entry->name[length])
		length++;
	if (entry->type == 1) {
		put("link ");
		put(entry->name);
		put(" ");
		put((const char *)content);
	} else if (entry->name[length - 1] == '/' && !entry->size) {
		put("folder ");
		put(entry->name);
	} else {
		put("file ");
		put(entry->name);
		put(" ");
		put_number(entry->size);
		put(" ");
		put_digest(content, entry->size);
		if (entry->size <= SHOWN) {
			put(" ");
			put_hex(content, entry->size);
		}
		if (entry->size && (uint64_t)content % PAGE)
			put(" unaligned");
	}
	put("\n");
}

/* An allocator would give this memory to others: contents in it would not survive. */
static void use_free_memory(void)
{
	volatile uint8_t *free = (volatile uint8_t *)free_memory;

	for (size_t i = 0; i < SCRATCH; i++)
		free[i] = 0xaa;
}

static int is_cleared(void)
{
	for (size_t i = 0; i < sizeof(cleared); i++)
		if (((volatile uint8_t *)cleared)[i])
			return 0;
	return 1;
}

void main(void)
{
	put(release);
	put(is_cleared() ? "memory is cleared\n" : "memory is not cleared\n");
	use_free_memory();
	put_start();
	for (const struct entry *entry = ramfs; entry->name[0]; entry++)
		put_entry(entry);
	put("done\n");
	out16(0x604, 0x2000); /* power off: ACPI's PM1a control register of QEMU's q35 */
	for (;;)
		__asm__ volatile("cli; hlt");
}
