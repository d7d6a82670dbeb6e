"""An ENA card as a program: the device model and a vfio-user server that plugs it into a VM.

Not here: PTP clock, flow steering, ENA Express (SRD), hardware timestamps, live migration, and
header split; their feature bits stay clear and their commands get status 3, as on cards without
them. Header rings beside the descriptors ("separate header" LLQ) are not offered either.

The model (`device.py` and what it is made of) does no I/O. It is given three things: a `Memory`
to reach the guest's rings and buffers in, a function that raises an MSI-X vector, and a `Port`
to send and receive frames. It is driven by register accesses and by time:

    write(offset, value)  →  registers, doorbells
    run()                 →  admin commands and packets that doorbells announced
    receive()             →  frames from the port into RX buffers
    tick(now)             →  keep-alive, readings of the clock, moderated interrupts

Nothing that a guest writes makes the model raise, loop without end or reach outside guest memory:
a broken rule is counted under its name (`rules.py`), the queue or command concerned fails as on
a card, and everything else goes on.

`vfio/` speaks the vfio-user protocol, `ports/` are the far ends of the cable, `serve.py` ties
them together in one process for one card. `docs/ena-device.md` is the manual.
"""
