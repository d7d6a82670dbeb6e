"""The formats that a disk is made of; whole builds and boots are in `tests/boot/image`."""
