"""Drivers that other people wrote, on this card, in real machines.

A lab is a network namespace with a bridge and taps; in it run the card's server, QEMU and the
host's side of the traffic. A guest is Debian's cloud kernel with a small initramfs, told what to
do over a second serial line.
"""
