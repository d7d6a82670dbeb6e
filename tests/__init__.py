"""Tests, in the order of what they need: `unit` nothing, `cloud` moto, `boot` QEMU, `driver` a
compiler. Paths mirror what is tested. Nothing here reaches AWS or leaves this machine.
"""
