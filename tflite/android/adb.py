"""The Android Debug Bridge: its client as a program, called with a list of arguments and a limit of time."""

import contextlib
import os
import shutil
import signal
import subprocess

from tflite.errors import MeasurementError, ModelError

_WHERE_SDKS_PUT_IT = (
    "$ANDROID_HOME/platform-tools",
    "$ANDROID_SDK_ROOT/platform-tools",
    "~/Android/Sdk/platform-tools",
    "~/Library/Android/sdk/platform-tools",
    "~/AppData/Local/Android/Sdk/platform-tools",
)
HOW_TO_GET_ADB = (
    "Install the Android platform tools: `apt-get install adb` on Debian and Ubuntu, or "
    "https://developer.android.com/tools/releases/platform-tools"
)
# A client that finds no server starts one, which takes a while.
_SHORT = 30.0

_STATES = {
    "unauthorized": "it asks on its screen whether to trust this computer: unlock it and allow debugging",
    "authorizing": "it asks on its screen whether to trust this computer: unlock it and allow debugging",
    "offline": "it does not answer: unplug it and plug it in again, or `adb reconnect`",
    "no permissions": "this user may not use it: see https://developer.android.com/tools/device",
    "bootloader": "it is in its bootloader: start Android",
    "recovery": "it is in recovery mode: start Android",
    "sideload": "it is in recovery mode: start Android",
}


class Adb:
    """The client, for one phone where `serial` is given.

    Raises:
        MeasurementError: there is no client on this machine.
    """

    def __init__(self, serial: str | None = None, *, program: str | None = None):
        self.serial = serial
        self.program = program or find_adb()

    def start(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """The client as a process of its own session: an interruption of ours is not one of its."""
        device = [] if self.serial is None else ["-s", self.serial]
        try:
            return subprocess.Popen(
                [self.program, *device, *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise MeasurementError(f"Could not start {self.program!r}: {error.strerror or error}") from error

    def call(self, *arguments: str, seconds: float = _SHORT) -> tuple[int, bytes, str]:
        """Exit status, output and complaints of the client.

        Raises:
            MeasurementError: it took longer.
        """
        process = self.start(*arguments)
        try:
            output, complaints = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise MeasurementError(
                f"`adb {arguments[0]}` took more than {seconds:g} s and was ended: does the phone still answer?"
            ) from error
        finally:
            end(process)
        return process.returncode, output, complaints.decode(errors="replace").strip()

    def devices(self) -> dict[str, str]:
        """The state of every phone by its serial number.

        Raises:
            MeasurementError: the client failed.
        """
        status, output, complaints = self.call("devices")
        if status:
            raise MeasurementError(f"`adb devices` failed: {complaints or 'it did not say why'}")
        return parse_devices(output.decode(errors="replace"))


def find_adb() -> str:
    """The path of the client.

    Raises:
        MeasurementError: there is none.
    """
    folders = (os.path.expanduser(os.path.expandvars(folder)) for folder in _WHERE_SDKS_PUT_IT)
    found = shutil.which("adb") or next((f for folder in folders if (f := shutil.which("adb", path=folder))), None)
    if found is None:
        raise MeasurementError(f"Expected the program `adb` on the PATH. Received: none. {HOW_TO_GET_ADB}")
    return found


def parse_devices(text: str) -> dict[str, str]:
    """Devices from what `adb devices` prints; a serial number may hold anything but a tab.

    >>> parse_devices("List of devices attached\\n1A 'x\\tdevice\\n10.0.0.2:5555\\toffline\\n\\n")
    {"1A 'x": 'device', '10.0.0.2:5555': 'offline'}
    """
    lines = (line.rpartition("\t") for line in text.splitlines() if "\t" in line)
    return {serial: state.strip() for serial, _, state in lines}


def choose(devices: dict[str, str], serial: str | None) -> str:
    """The serial number of the phone to use.

    Raises:
        ModelError: several and none is named, or the named one is not there.
        MeasurementError: none at all, or one that is not ready.
    """
    listed = ", ".join(f"{name!r} ({state})" for name, state in devices.items())
    if serial is not None and serial not in devices:
        raise ModelError(f"Expected the serial number of a phone. Received: serial={serial!r}, of {listed or 'none'}")
    if not devices:
        raise MeasurementError(
            "Expected a phone. Received: none that adb sees. Switch USB debugging on in its developer options and plug "
            "it in, or `adb connect HOST:PORT`"
        )
    ready = [name for name, state in devices.items() if state == "device"]
    if serial is None and len(ready) > 1:
        raise ModelError(f"Expected the choice of one phone with `serial` (--serial). Received: none, of {listed}")
    chosen = serial if serial is not None else (ready or list(devices))[0]
    if serial is None and not ready and len(devices) > 1:
        raise MeasurementError(f"Expected a phone that is ready. Received: {listed}. {_way_out(devices[chosen])}")
    if devices[chosen] != "device":
        raise MeasurementError(f"The phone {chosen!r} is {devices[chosen]}: {_way_out(devices[chosen])}")
    return chosen


def end(process: subprocess.Popen[bytes]) -> None:
    """End a client if it still runs, and close its pipes."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _way_out(state: str) -> str:
    return next((words for name, words in _STATES.items() if state.startswith(name)), "see `adb devices`")
