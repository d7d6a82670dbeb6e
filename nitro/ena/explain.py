"""A trace in words: what `nitro device explain` prints."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nitro import input_file
from nitro.ena import constants, payloads
from nitro.ena.aenq import NOTIFY_HINTS
from nitro.ena.layout import flags, tidy
from nitro.errors import InputError

_REGISTERS = {int(reg): reg.name for reg in constants.Reg}


def explain(trace: Path) -> Iterator[str]:
    """The lines for a trace file, one for each event; runs of doorbells are summed up.

    Raises InputError for a file that is no trace.
    """
    input_file.check(trace)
    teller = _Teller()
    number = 0
    try:
        with trace.open() as lines:
            for line in lines:
                number += 1
                yield from teller.tell(json.loads(line))
    except OSError as error:
        raise InputError(f"cannot read {trace}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{trace} is not a trace of `device serve --trace`") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error) as error:
        raise InputError(
            f"{trace}:{number} is not an event",
            hint="give a file that `device serve --trace` wrote",
        ) from error
    yield from teller.rest()


class _Teller:
    """Puts events into words, one after the other."""

    def __init__(self) -> None:
        self._quiet: Counter[str] = Counter()
        self._asked: dict[int, bytes] = {}  # the command of each id, for its answer

    def tell(self, event: dict[str, Any]) -> Iterator[str]:
        """The lines for one event. Raises one of many errors if it is none."""
        name = _frequent(event)
        if name:
            self._quiet[name] += 1
            return
        yield from self.rest()
        if event["event"] == "command":
            self._asked[event["id"]] = bytes.fromhex(event["entry"])
        yield f"{event['t']:10.6f}  {_describe(event, self._asked)}"

    def rest(self) -> Iterator[str]:
        """What happened too often to be told one by one, since the last line."""
        if self._quiet:
            counts = ", ".join(f"{n} × {name}" for name, n in sorted(self._quiet.items()))
            yield f"{'…':>10}  {counts}"
            self._quiet.clear()


def _frequent(event: dict[str, Any]) -> str | None:
    """What happens all the time, by a name to count it under."""
    if event["event"] == "interrupt":
        return f"interrupt {event['vector']}"
    if event["event"] == "event" and event["group"] == constants.Event.KEEP_ALIVE:
        return None if event["data"].strip("0") else "keep alive"
    if event["event"] != "write":
        return None
    offset = event["offset"]
    if offset == constants.Reg.AENQ_HEAD_DB:
        return "event credit"
    if offset >= constants.UNMASK:
        return f"unmask of vector {(offset - constants.UNMASK) // 4}"
    if offset >= constants.RX_DOORBELLS:
        return f"RX doorbell {(offset - constants.RX_DOORBELLS) // 4}"
    if offset >= constants.TX_DOORBELLS:
        return f"TX doorbell {(offset - constants.TX_DOORBELLS) // 4}"
    return None


def _describe(event: dict[str, Any], asked: dict[int, bytes]) -> str:
    match event["event"]:
        case "read":
            return f"driver reads {_register(event)}: {_value(event)}"
        case "write":
            return f"driver writes {_register(event)}: {_value(event)}"
        case "command":
            return f"driver asks (#{event['id']}): {_command(asked[event['id']])}"
        case "completion":
            command = asked.get(event["id"], bytes(64))
            return f"card answers (#{event['id']}): {_answer(event, command)}"
        case "event":
            return f"card tells: {_event(event)}"
        case "report":
            return f"! {event['line']}"
        case other:
            return str(other)


def _register(event: dict[str, Any]) -> str:
    return _REGISTERS.get(event["offset"], f"offset {event['offset']:#x}")


def _value(event: dict[str, Any]) -> str:
    value = event["value"]
    match event["offset"]:
        case constants.Reg.MMIO_REG_READ:
            name = _REGISTERS.get(value >> 16, f"{value >> 16:#x}")
            return f"read {name} for me, request {value & 0xFFFF}"
        case constants.Reg.AQ_CAPS | constants.Reg.ACQ_CAPS | constants.Reg.AENQ_CAPS:
            return f"{value & 0xFFFF} entries of {value >> 16} bytes"
        case constants.Reg.DEV_CTL if value & 1:
            reason = value >> 28 | (value >> 24 & 0xF) << 4
            known = reason < len(constants.RESET_REASONS)
            return f"reset, {constants.RESET_REASONS[reason] if known else reason}"
        case constants.Reg.DEV_CTL:
            return "end of reset"
        case constants.Reg.DEV_STS:
            return flags(constants.Status)(value)
    return f"{value:#x}"


def _command(entry: bytes) -> str:
    opcode = entry[2]
    try:
        name = tidy(constants.Opcode(opcode).name)
    except ValueError:
        return f"opcode {opcode}"
    match opcode:
        case constants.Opcode.GET_FEATURE:
            return f"{name} {_feature(_feature_number(entry))}"
        case constants.Opcode.SET_FEATURE:
            number = _feature_number(entry)
            payload = entry[payloads.FEATURE.size :]
            return f"{name} {_feature(number)}: {payloads.feature(number, payload)}"
        case constants.Opcode.CREATE_CQ:
            cq = payloads.CREATE_CQ.unpack(entry)
            size = (cq["entry_words"] & 31) * 4
            return f"{name}, {cq['depth']} entries of {size} bytes, vector {cq['vector']}"
        case constants.Opcode.CREATE_SQ:
            sq = payloads.CREATE_SQ.unpack(entry)
            sending = sq["direction_bits"] >> 5 == constants.DIRECTION_TX
            on_card = sq["placement_bits"] & 0xF == constants.PLACEMENT_DEVICE
            direction, place = "TX" if sending else "RX", "LLQ" if on_card else "host memory"
            where = f"{sq['depth']} entries in {place}"
            return f"{name}, {direction}, {where}, completions to {sq['cq_index']}"
        case constants.Opcode.DESTROY_SQ | constants.Opcode.DESTROY_CQ:
            return f"{name} {payloads.DESTROY_CQ.unpack(entry)['index']}"
    return f"{name}, type {payloads.GET_STATS.unpack(entry)['type']}"


def _event(event: dict[str, Any]) -> str:
    data = bytes.fromhex(event["data"])
    try:
        group = constants.Event(event["group"])
    except ValueError:
        return f"group {event['group']}"
    name = tidy(group.name)
    match group:
        case constants.Event.LINK_CHANGE:
            up = payloads.LINK_CHANGE.unpack(data)["flags"] & 1
            return f"{name}: {'up' if up else 'down'}"
        case constants.Event.KEEP_ALIVE:
            drops = payloads.KEEP_ALIVE.unpack(data)
            return f"{name}, {drops['rx_drops']} RX drops, {drops['rx_overruns']} overruns"
        case constants.Event.NOTIFICATION if event["syndrome"] == NOTIFY_HINTS:
            return f"{name}: {payloads.feature(constants.Feature.HINTS, data)}"
    return name


def _feature_number(entry: bytes) -> int:
    return int(payloads.FEATURE.unpack(entry)["feature"])


def _feature(number: int) -> str:
    try:
        return tidy(constants.Feature(number).name)
    except ValueError:
        return f"feature {number}"


def _answer(event: dict[str, Any], command: bytes) -> str:
    if "error" in event:
        return str(event["error"])
    payload = event["payload"]
    if payload is None:
        return "nothing, it never will"
    data = bytes.fromhex(payload)
    match event["opcode"]:
        case constants.Opcode.CREATE_CQ | constants.Opcode.CREATE_SQ:
            said = f"queue {payloads.CREATE_CQ_ANSWER.unpack(data)['index']}"
        case constants.Opcode.GET_FEATURE:
            said = payloads.feature(_feature_number(command), data)
        case constants.Opcode.GET_STATS:
            said = payloads.statistics(payloads.GET_STATS.unpack(command)["type"], data)
        case _:
            said = payload
    return f"done, {said}" if said else "done"
