"""Conditions of a latency on a phone: model, processor, clock governor, battery, heat."""

import re
from dataclasses import dataclass

from tflite.android.device import Device
from tflite.benchmark_tool.lines import printable
from tflite.utils.record import Record

_CORES = "/sys/devices/system/cpu"
_READ = (
    "getprop; "
    f"for c in {_CORES}/cpu[0-9]*; do "
    'echo "core=${c##*cpu} $(cat $c/cpufreq/scaling_governor 2>/dev/null) '
    '$(cat $c/cpufreq/cpuinfo_max_freq 2>/dev/null)"; done'
)
_PROPERTY = re.compile(r"\[([^\]]+)\]: \[(.*)\]")
_CORE = re.compile(r"core=([0-9]+) ?([A-Za-z][\w-]*)? ?([0-9]*)")


@dataclass(frozen=True)
class Battery(Record):
    """Degrees Celsius, percent and whether a cable charges it; None where the phone does not say."""

    temperature: float | None
    percent: int | None
    charging: bool | None


@dataclass(frozen=True)
class Phone(Record):
    """A phone; what it does not say is None or empty.

    `abis` are the binary interfaces that it runs, the preferred first. `governors` are those of the cores that tell
    theirs; `megahertz` has the highest clock of each core, 0 where it does not tell.
    """

    serial: str
    model: str | None
    soc: str | None
    android: str | None
    sdk: str | None
    abis: tuple[str, ...]
    cores: int
    governors: tuple[str, ...]
    megahertz: tuple[int, ...]

    @property
    def name(self) -> str:
        """Model and processor, as a result names its device."""
        return ", ".join(part for part in (self.model, self.soc) if part) or self.serial

    @property
    def big_cores(self) -> tuple[int, ...]:
        """The cores with the highest clock; none where the phone does not tell the clocks."""
        highest = max(self.megahertz, default=0)
        return tuple(core for core, clock in enumerate(self.megahertz) if clock == highest and clock)


def read_phone(device: Device) -> Phone:
    """Read the properties of a phone.

    Raises:
        MeasurementError: it was lost.
    """
    lines = device.shell(_READ)[1].splitlines()
    found = {match[1]: printable(match[2].strip()) for line in lines if (match := _PROPERTY.fullmatch(line.strip()))}
    cores = sorted(
        (int(match[1]), match[2] or "", int(match[3] or 0))
        for line in lines
        if (match := _CORE.fullmatch(line.strip()))
    )
    abis = found.get("ro.product.cpu.abilist") or found.get("ro.product.cpu.abi") or ""
    return Phone(
        serial=device.serial,
        model=_joined(found, "ro.product.manufacturer", "ro.product.model"),
        soc=_joined(found, "ro.soc.manufacturer", "ro.soc.model")
        or found.get("ro.board.platform")
        or found.get("ro.hardware"),
        android=found.get("ro.build.version.release"),
        sdk=found.get("ro.build.version.sdk"),
        abis=tuple(abi for abi in abis.split(",") if abi),
        cores=len(cores),
        governors=tuple(governor for _, governor, _ in cores if governor),
        megahertz=tuple(kilohertz // 1000 for _, _, kilohertz in cores),
    )


def read_battery(device: Device) -> Battery:
    """Read the state of the battery.

    Raises:
        MeasurementError: the phone was lost.
    """
    status, output = device.shell("dumpsys battery")
    if status:
        return Battery(None, None, None)
    tenths, level = _number(r"temperature: (-?[0-9]{1,4})", output), _number(r"level: ([0-9]{1,3})", output)
    powered = re.findall(r"powered: (true|false)", output)
    return Battery(None if tenths is None else tenths / 10, level, "true" in powered if powered else None)


def _joined(found: dict[str, str], maker: str, name: str) -> str | None:
    """Maker and name, the maker once."""
    if not found.get(name) or found[name] == "unknown":
        return None
    if not found.get(maker) or found[name].lower().startswith(found[maker].lower()):
        return found[name]
    return f"{found[maker]} {found[name]}"


def _number(form: str, text: str) -> int | None:
    match = re.search(rf"^\s*{form}\s*$", text, re.MULTILINE)
    return None if match is None else int(match[1])
