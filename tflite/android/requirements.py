"""Requirements of a measurement on a phone, which of them are met, and how to get the rest."""

from dataclasses import dataclass
from pathlib import Path

from tflite.android.adb import HOW_TO_GET_ADB, Adb
from tflite.android.device import Device
from tflite.android.phone import Phone, read_battery, read_phone
from tflite.android.program import find_program, how_to_get, prebuilt
from tflite.errors import MeasurementError, ModelError
from tflite.utils.record import Record


@dataclass(frozen=True)
class Part(Record):
    """Something that is needed, or with `optional` only for more: what was found, and else how to get it."""

    name: str
    present: bool
    found: str
    remedy: str | None = None
    optional: bool = False


def readiness(*, serial: str | None = None, tool: str | Path | None = None) -> tuple[Part, ...]:
    """The parts of a measurement on a phone, in the order in which one needs the other.

    Args:
        serial: of the phone; needed where several are connected.
        tool: the benchmark tool that would be passed to `tflite.android.benchmark`.
    """
    try:
        adb = Adb()
        status, output, complaints = adb.call("version")
        version = output.decode(errors="replace").strip().splitlines()
    except MeasurementError as error:
        return (Part("adb", False, str(error).split(". ")[0], HOW_TO_GET_ADB),)
    if status or not version:
        return (Part("adb", False, f"{adb.program} failed: {complaints}", HOW_TO_GET_ADB),)
    parts = [Part("adb", True, f"{adb.program}, {version[min(1, len(version) - 1)]}")]
    try:
        device = Device(serial)
        phone = read_phone(device)
        battery = read_battery(device)
    except (MeasurementError, ModelError) as error:
        found, _, remedy = str(error).partition(". Switch ")
        return (*parts, Part("phone", False, found, f"Switch {remedy}" if remedy else None))
    parts.append(Part("phone", True, f"{phone.name}, Android {phone.android or '?'}, serial {device.serial!r}"))
    parts.append(_processor(phone))
    parts.append(_tool(device, phone, tool))
    parts.append(_taskset(device))
    parts.append(Part("temperature", *_temperature(battery.temperature), optional=True))
    return tuple(parts)


def _processor(phone: Phone) -> Part:
    name = prebuilt(phone)
    fitting = f"the prebuilt tool for it is {name}" if name else "there is no prebuilt tool for it"
    governors = f", governor {', '.join(sorted(set(phone.governors)))}" if phone.governors else ""
    found = f"{', '.join(phone.abis) or 'unknown'}, {phone.cores} cores{governors}: {fitting}"
    return Part("processor", bool(phone.abis), found, None if phone.abis else "It does not tell its binary interface")


def _tool(device: Device, phone: Phone, tool: str | Path | None) -> Part:
    try:
        program = find_program(device, phone, tool)
    except (MeasurementError, ModelError) as error:
        return Part("benchmark_model", False, str(error).split(f". {how_to_get(phone)}")[0], how_to_get(phone))
    place = f"{program.remote} on the phone" if program.local is None else str(program.local)
    return Part("benchmark_model", True, place)


def _taskset(device: Device) -> Part:
    status, _ = device.shell("taskset 1 true")
    if status in (126, 127):
        return Part("taskset", False, "the phone does not have it: leave `cores` out", optional=True)
    return Part("taskset", True, "a measurement can be kept on some cores", optional=True)


def _temperature(degrees: float | None) -> tuple[bool, str]:
    if degrees is None:
        return False, "the phone does not tell it: measurements do not wait until it is cool"
    return True, f"{degrees:.1f} °C"
