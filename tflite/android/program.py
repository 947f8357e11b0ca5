"""Choice of the benchmark tool that fits a phone, and its place."""

import os
import shlex
import struct
from dataclasses import dataclass
from pathlib import Path

from tflite.android.device import Device
from tflite.android.folder import TEMPORARY
from tflite.android.phone import Phone
from tflite.errors import MeasurementError, ModelError

# Binary interface of Android → the name of its prebuilt tool.
PREBUILT = {
    "arm64-v8a": "android_aarch64_benchmark_model",
    "armeabi-v7a": "android_arm_benchmark_model",
    "armeabi": "android_arm_benchmark_model",
}
DOWNLOADS = "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/nightly/latest"

# Machine in the header of a program → the binary interfaces that run it.
_MACHINES = {183: ("arm64-v8a",), 40: ("armeabi-v7a", "armeabi"), 62: ("x86_64",), 3: ("x86",)}


@dataclass(frozen=True)
class Program:
    """A benchmark tool: a file of this machine, or one that is on the phone already."""

    name: str
    local: Path | None
    remote: str | None


def prebuilt(phone: Phone) -> str | None:
    """The name of the prebuilt tool for a phone, or None where there is none.

    >>> phone = Phone("1A", None, None, None, None, ("x86_64", "arm64-v8a"), 8, (), ())
    >>> prebuilt(phone)
    'android_aarch64_benchmark_model'
    """
    return next((PREBUILT[abi] for abi in phone.abis if abi in PREBUILT), None)


def how_to_get(phone: Phone) -> str:
    """Sentence on how to get the tool for a phone."""
    name = prebuilt(phone)
    if name is None:
        abi = phone.abis[0] if phone.abis else "this phone"
        return f"There is none prebuilt for {abi}: build //tensorflow/lite/tools/benchmark:benchmark_model for it"
    return f"Get {DOWNLOADS}/{name} and pass its path as `tool` (--tool)"


def find_program(device: Device, phone: Phone, tool: str | Path | None) -> Program:
    """The tool to run: the one that is passed, else the prebuilt one in this folder or on the PATH, else the phone's.

    Raises:
        ModelError: the one that is passed is no file or is for another processor.
        MeasurementError: none is passed and none is found.
    """
    if tool is not None:
        path = Path(tool).expanduser()
        if not path.is_file():
            raise ModelError(f"Expected the program benchmark_model. Received: {str(tool)!r}, which does not exist")
        check_machine(path, phone)
        return Program(path.name, path, None)
    name = prebuilt(phone)
    folders = [Path.cwd(), *(Path(folder) for folder in os.get_exec_path() if folder)]
    for folder in folders if name else ():
        if (folder / str(name)).is_file():
            return Program(str(name), folder / str(name), None)
    for remote in (
        (f"{TEMPORARY}/{name}", f"{TEMPORARY}/benchmark_model") if name else (f"{TEMPORARY}/benchmark_model",)
    ):
        if device.shell(f"[ -x {shlex.quote(remote)} ]")[0] == 0:
            return Program(remote.rsplit("/", 1)[1], None, remote)
    raise MeasurementError(
        f"Expected the benchmark tool of TFLite. Received: none, here or on the phone. {how_to_get(phone)}"
    )


def check_machine(path: Path, phone: Phone) -> None:
    """See that a program is for the phone's processor.

    Raises:
        ModelError: it is for another one.
    """
    with path.open("rb") as file:
        header = file.read(20)
    if header[:4] != b"\x7fELF" or len(header) < 20 or not phone.abis:
        return  # a script, or a phone that does not tell: the phone itself will say
    machine = struct.unpack("<H" if header[5] == 1 else ">H", header[18:20])[0]
    fitting = _MACHINES.get(machine, (f"machine {machine}",))
    if not set(fitting) & set(phone.abis):
        raise ModelError(
            f"Expected a program for {' or '.join(phone.abis)}. Received: {path.name!r}, which is for {fitting[0]}. "
            f"{how_to_get(phone)}"
        )
