"""Debian's iPXE on a machine of the lab, told by a script what to do on each of its cards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.network import HOST, Lab
from nitro import debian
from nitro.local import qemu

IPXE = debian.Wanted(("ipxe",), suite="trixie", closure=False)
PORT = 8080
_PADDING = 200_000  # bytes: many frames in, with a full ring behind them

_END = "each card has had its turn"
# What fails ends the step of its card. By DHCP once: iPXE listens for more offers for seconds.
_DHCP = "dhcp {net}"
_STATIC = "ifopen {net} && set {net}/ip 10.99.0.{last} && set {net}/netmask 255.255.255.0"
_STEP = "{address} && chain http://{host}:{port}/{net}.ipxe || echo {net} failed\nifclose {net}\n"


def _offer(folder: Path, nets: Sequence[str]) -> None:
    """What the machine fetches: for each card a long script that reports its end."""
    folder.mkdir()
    padding = "# what a card brings over whole is a script\n" * (_PADDING // 44)
    for net in nets:
        passed = f"imgfetch http://{HOST}:{PORT}/passed-{net}\nimgfree passed-{net}\n"
        (folder / f"{net}.ipxe").write_text(f"#!ipxe\n{padding}{passed}")
        (folder / f"passed-{net}").write_text("yes\n")


@contextmanager
def boot(lab: Lab, cards: Sequence[qemu.Card]) -> Iterator[None]:
    """Boot iPXE, which fetches a script over each card in turn.

    `ended` says when it is through, and `passed` what came of it.
    """
    nets = [f"net{number}" for number in range(len(cards))]
    _offer(lab.folder / "offered", nets)
    steps = ["#!ipxe\n"]
    for number, net in enumerate(nets):
        address = (_STATIC if number else _DHCP).format(net=net, last=20 + number)
        steps.append(_STEP.format(address=address, net=net, host=HOST, port=PORT))
    script = lab.folder / "script.ipxe"
    script.write_text("".join([*steps, f"echo {_END}\n"]))
    machine = qemu.Machine(
        console=lab.folder / "ipxe.console",
        cards=cards,
        kernel=debian.tree(IPXE).path("/usr/lib/ipxe/ipxe.lkrn"),
        initrd=script,
        # Without a display the firmware shows its text on the serial line.
        extra=("-no-reboot", "-machine", "graphics=off"),
    )
    server = ["python3", "-m", "http.server", str(PORT), "--bind", HOST]
    with (
        lab.start("dhcp", lab.dhcp_server()),
        lab.start("http", [*server, "--directory", str(lab.folder / "offered")]),
        lab.machine("ipxe", machine),
    ):
        yield


def ended(lab: Lab) -> bool:
    """Whether each card has had its turn."""
    console = lab.folder / "ipxe.console"
    return console.exists() and _END in console.read_text(errors="replace")


def passed(lab: Lab, number: int) -> bool:
    """Whether the card with that number fetched its script whole, for it was run to its end."""
    return f'"GET /passed-net{number} ' in lab.log("http")
