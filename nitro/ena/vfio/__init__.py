"""The card on a vfio-user socket, for QEMU's `vfio-user-pci` and other clients.

Not here: migration, dirty-page logging, DMA by message (guest memory must be mappable), a second
socket for commands from server to client. Source of the protocol: QEMU's `docs/interop`.

`messages.py` bytes to requests and back, `transport.py` the socket and its descriptors, `pci.py`
configuration space, `irqs.py` MSI-X as eventfds, `session.py` one client's requests, `server.py`
the loop that waits for everything. Only `transport.py` and `server.py` touch sockets.
"""
