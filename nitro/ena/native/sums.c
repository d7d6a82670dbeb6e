/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum (RFC 1071). */
#include "loop.h"

uint64_t loop_add(uint64_t sum, const uint8_t *data, size_t bytes, bool odd)
{
	uint64_t total = 0;
	size_t i = 0;

	/* Four bytes at a time: the carries stay in the upper half. */
	for (; i + 4 <= bytes; i += 4)
		total += (uint64_t)loop_be16(data + i) + loop_be16(data + i + 2);
	if (i + 2 <= bytes) {
		total += loop_be16(data + i);
		i += 2;
	}
	if (i < bytes)
		total += (uint64_t)data[i] << 8;
	if (!odd)
		return sum + total;
	/* Bytes change places; modulo 65535 that is a factor of 256. */
	return sum + (uint64_t)loop_fold(total) * 256;
}

/* 1 to 65535; 0 only for a sum of nothing but zeros. */
uint32_t loop_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* What a checksum field holds before the payload is added; never 0. */
uint32_t loop_pseudo(const uint8_t *addresses, size_t bytes, uint32_t protocol, uint32_t length)
{
	uint64_t sum = loop_add(0, addresses, bytes, false);
	uint32_t folded = loop_fold(sum + protocol + (length & 0xffff) + (length >> 16));

	return folded ? folded : 65535;
}
