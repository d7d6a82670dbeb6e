"""vfio-user, message by message, over a socket pair; QEMU speaks it in `tests/boot/ena`."""
