"""Formats of disks and files: bytes in, bytes out; nothing of kernels, recipes or packages."""
