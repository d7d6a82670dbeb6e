"""A vfio-user client's writes to registers and LLQ memory, for the C loop."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import addressof

from nitro.ena.native.loop import Loop
from nitro.ena.state import ClientState, address_of


class Writes:
    """Takes them from what the client at `socket` sends; `llq` is the card's LLQ memory.

    If the client waits for the answer to each write to a register (`awaited`), the loop answers
    them at once, and looks for more between packets: who uses this carries out what is `listed`
    before it reads on.
    """

    def __init__(
        self, loop: Loop, client: ClientState, llq: memoryview, socket: int, *, awaited: bool
    ) -> None:
        self._loop, self._client, self._llq = loop, client, llq
        self._socket = socket if awaited else -1
        self._place = address_of(llq) if llq else 0
        self._entries = memoryview(client.list).cast("B").cast("I")
        client.socket, client.listed = -1, 0

    def store(self, data: memoryview) -> int:
        """Store those to LLQ memory that `data` begins with and list those to registers among
        them, up to a message that is no write as it should be; returns their length."""
        client = self._client
        client.socket = self._socket
        done: int = self._loop.write(
            addressof(client), address_of(data), len(data), self._place, len(self._llq) // 8
        )
        if done < len(data):
            # In the socket may be the rest of a message.
            client.socket = -1
        return done

    @property
    def listed(self) -> bool:
        """Whether there are writes to registers to be carried out."""
        return bool(self._client.listed)

    def registers(self) -> Iterator[tuple[int, int]]:
        """Offset and value of each write that is listed; the list is empty afterwards."""
        entries, count = self._entries, self._client.listed
        self._client.listed = 0
        for at in range(0, 2 * count, 2):
            yield entries[at], entries[at + 1]
