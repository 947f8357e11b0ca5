"""Commands on Android phones and with the native benchmark tool."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distiller.utils.terminal import print

if TYPE_CHECKING:
    from tflite import BenchmarkResult

Android = Annotated[
    bool, typer.Option("--android", help="On a phone, through adb. `distiller doctor --android` helps.")
]
Serial = Annotated[str | None, typer.Option(help="Which phone, where several are connected.", show_default=False)]
Tool = Annotated[
    Path | None,
    typer.Option(help="The native benchmark_model: for the phone with --android, else for this machine."),
]
Imported = Annotated[
    Path | None,
    typer.Option(
        "--import",
        metavar="FILE",
        help="Read what benchmark_model printed or wrote (log, CSV, proto), and JSON of litert-benchmark or of --json.",
    ),
]
Cores = Annotated[
    str | None,
    typer.Option(help="Cores for the tool: 4-7, 0,2, a mask 0xf0, or big on a phone.", show_default=False),
]


class PhoneDelegate(StrEnum):
    """Delegates of a phone, as options name them."""

    cpu = "cpu"
    xnnpack = "xnnpack"
    gpu = "gpu"
    nnapi = "nnapi"
    none = "none"


class AnyDelegate(StrEnum):
    """Delegates of a phone and of this machine, as options name them."""

    xnnpack = "xnnpack"
    cpu = "cpu"
    none = "none"
    both = "both"
    gpu = "gpu"
    nnapi = "nnapi"


def wanted(android: bool, serial: str | None, tool: Path | None, imported: Path | None, cores: str | None) -> bool:
    """Return whether these options ask for the native tool, here, on a phone or elsewhere.

    Raises:
        InputError: they contradict each other.
    """
    from distiller.errors import InputError

    if imported and (android or serial or tool or cores):
        raise InputError("Expected --import alone. Received --android, --serial, --tool or --cores with it")
    if serial and not android:
        raise InputError("Expected --serial with --android. Received it alone")
    if cores and not (android or tool):
        raise InputError("Expected --cores with --android or --tool. Received it alone")
    return bool(android or tool or imported)


def benchmark(
    files: Sequence[Path],
    *,
    android: bool,
    serial: str | None,
    tool: Path | None,
    imported: Path | None,
    threads: Sequence[int],
    delegates: Sequence[str],
    cores: str | None,
    **options: Any,
) -> "tuple[list[BenchmarkResult], list[str]]":
    """Results of the native tool: of every file, delegate and number of threads, or of a file of someone else's.

    Of several delegates one that fails ends nothing: a sentence comes back for each.

    Raises:
        InputError: no file to measure, or several for one that is imported.
        MeasurementError: nothing could be measured.
    """
    import tflite
    from distiller.errors import InputError
    from distiller.utils.progress import Reporter

    if imported:
        if len(files) > 1:
            raise InputError(f"Expected the one TFLite file that was measured. Received: {len(files)} files")
        return list(tflite.tool.read_all(imported, model=files[0] if files else None)), []
    say = Reporter().say
    results: list[BenchmarkResult] = []
    failures: list[str] = []

    def measure(file: Path, delegate: str) -> "Iterator[BenchmarkResult]":
        if android:
            yield from tflite.android.benchmark(
                file, serial=serial, tool=tool, threads=threads, delegate=delegate, cores=cores, tell=say, **options
            )
            return
        for number in threads:
            say(f"Measuring {file.name}, {number} threads, {delegate}")
            yield tflite.tool.benchmark(file, tool=str(tool), threads=number, delegate=delegate, cores=cores, **options)

    for file in files:
        for delegate in delegates:
            try:
                results += measure(file, delegate)
            except tflite.MeasurementError as error:
                if len(delegates) == 1:
                    raise
                failures.append(f"{file.name}, {delegate}: not measured. {error}")
    if not results:
        raise tflite.MeasurementError("\n".join(failures))
    return results, failures


def show_phones(results: "Sequence[BenchmarkResult]") -> None:
    """Print what the latencies of phones depend on."""
    for phone in {result.phone["serial"]: result.phone for result in results if result.phone}.values():
        print(describe(phone))
    temperatures = [
        (result.phone["battery"]["temperature"], result.phone["temperature_after"])
        for result in results
        if result.phone
    ]
    told = [(before, after) for before, after in temperatures if before is not None and after is not None]
    if told:
        print(f"Battery from {told[0][0]:.1f} °C before to {told[-1][1]:.1f} °C after")


def describe(phone: dict[str, Any]) -> str:
    """A phone in a line.

    >>> describe({"model": "Pixel 8", "soc": None, "android": "14", "cores": 8, "governors": ["a", "a"],
    ...           "affinity": None, "battery": {"percent": 81, "charging": True}})
    'Pixel 8, Android 14, 8 cores, governor a, battery 81 % (charging)'
    """
    battery = phone.get("battery") or {}
    parts = [
        phone["model"] or phone.get("serial"),
        phone["soc"],
        phone["android"] and f"Android {phone['android']}",
        f"{phone['cores']} cores" if phone["cores"] else None,
        f"governor {', '.join(sorted(set(phone['governors'])))}" if phone["governors"] else None,
        f"on the cores of mask {phone['affinity']}" if phone.get("affinity") else None,
        f"battery {battery['percent']} %" + (" (charging)" if battery["charging"] else "")
        if battery.get("percent") is not None
        else None,
    ]
    return ", ".join(part for part in parts if part)


def delegates(names: Sequence[str]) -> list[str]:
    """Delegates by the names that the options have for them, each once.

    >>> delegates(["cpu", "gpu", "xnnpack"]), delegates(["both"])
    (['xnnpack', 'gpu'], ['xnnpack', 'none'])
    """
    others = {"cpu": ("xnnpack",), "both": ("xnnpack", "none")}
    return list(dict.fromkeys(each for name in names for each in others.get(name, (str(name),))))


def evaluate(
    file: Path,
    images: Any,
    labels: Any,
    *,
    serial: str | None,
    tool: Path | None,
    delegates: Sequence[str],
    count: int,
    threads: int,
    split: str,
    json: bool,
) -> None:
    """Print the accuracy of a file on a phone, and whether it answers there as it does here."""
    import tflite
    from distiller.cli import delegates as tables
    from distiller.utils.progress import Reporter

    reporter = Reporter()
    data = (images, labels)
    options: dict[str, Any] = {"serial": serial, "tool": tool, "count": count, "threads": threads}
    # An accelerator's answers are compared with the processor's.
    asked = {*delegates, *(["xnnpack"] if {"gpu", "nnapi"} & set(delegates) else [])}
    with reporter.task("evaluate on the phone", min(count, len(labels)) * len(asked)) as task:
        options |= {"progress": lambda done, _: task.advance_to(done), "tell": reporter.say}
        if len(delegates) > 1:
            several = tflite.android.compare_delegates(file, data, delegates=delegates, **options)
        else:
            one = tflite.android.evaluate(file, data, delegate=delegates[0], **options)
    if json:
        print((several if len(delegates) > 1 else one).to_json())
    elif len(delegates) > 1:
        tables.show_comparison(several, split)
    else:
        tables.show_evaluation(one, split)
