"""What TX descriptors say of a packet: protocols, and offloads that are asked for."""

from __future__ import annotations

IPV4, IPV6, TCP, UDP = 8, 11, 12 << 8, 13 << 8
TSO, L3, L4, PARTIAL = 1 << 7, 1 << 13, 1 << 14, 1 << 17
Words = tuple[int, int, int, int]
"""A descriptor."""
