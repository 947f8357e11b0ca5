"""Waiting until a phone is cool: a warm one lowers its clocks."""

import time
from collections.abc import Callable

from tflite.android.device import Device
from tflite.android.phone import Battery, read_battery

_POLL = 5.0


def wait_until_cool(
    device: Device, *, below: float | None, seconds: float, tell: Callable[[str], None]
) -> tuple[Battery, str | None]:
    """The battery's state when it is cooler than `below` degrees Celsius, or when `seconds` are over.

    The second part is a note where it stayed warm or does not say how warm it is.

    Raises:
        MeasurementError: the phone was lost.
    """
    battery = read_battery(device)
    if below is None:
        return battery, None
    if battery.temperature is None:
        return battery, "the phone does not tell its temperature"
    started = time.monotonic()
    while battery.temperature is not None and battery.temperature >= below:
        waited = time.monotonic() - started
        if waited >= seconds:
            tell(f"The phone is still at {battery.temperature:.1f} °C after {waited:.0f} s: measuring all the same")
            return battery, f"the phone was at {battery.temperature:.1f} °C when the measurement began"
        tell(
            f"The phone is at {battery.temperature:.1f} °C: waiting until it is below {below:g} °C, "
            f"{seconds - waited:.0f} s at most"
        )
        time.sleep(min(_POLL, seconds - waited))
        battery = read_battery(device)
    return battery, None
