"""Latency of a TFLite file on an Android phone."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tflite.android.cooling import wait_until_cool
from tflite.android.device import Device
from tflite.android.folder import PhoneFolder
from tflite.android.made_up import notes_on_answers
from tflite.android.phone import Phone, read_battery, read_phone
from tflite.android.program import Program, find_program
from tflite.benchmark_tool.affinity import affinity_mask, check_threads
from tflite.benchmark_tool.flags import ACCELERATORS, Options
from tflite.benchmark_tool.measuring import measure
from tflite.benchmark_tool.termination import orderly
from tflite.benchmarking.images import images_in, operators_in
from tflite.benchmarking.result import BenchmarkResult
from tflite.errors import ModelError
from tflite.model_file.files import read_model
from tflite.utils.arguments import wholes


def benchmark(
    path: str | Path,
    *,
    serial: str | None = None,
    tool: str | Path | None = None,
    threads: int | Sequence[int] = (1,),
    delegate: str = "xnnpack",
    cores: Sequence[int] | str | None = None,
    runs: int = 50,
    warmup_runs: int = 10,
    min_seconds: float = 1.0,
    max_seconds: float = 60.0,
    profile: bool = False,
    compare: bool = True,
    cool_below: float | None = 38.0,
    cool_seconds: float = 300.0,
    tell: Callable[[str], None] | None = None,
) -> tuple[BenchmarkResult, ...]:
    """Time a TFLite file on a phone, through adb and the phone's own `benchmark_model`.

    Tool and model are copied into a new folder under /data/local/tmp, which is removed afterwards, also where the
    measurement is interrupted or the cable is pulled. Before each measurement the phone is left to cool.

    Args:
        path: TFLite file.
        serial: of the phone; needed where several are connected.
        tool: a `benchmark_model` for the phone's processor. Without it, the prebuilt one is looked for by its name
            (android_aarch64_benchmark_model, android_arm_benchmark_model) in this folder and on the PATH, and as
            benchmark_model in /data/local/tmp of the phone.
        threads: of the tool; a result for each.
        delegate: "xnnpack", "gpu", "nnapi" or "none"; another one than this is an error, not a number.
        cores: processor cores that the tool may use, numbered from 0: `[4, 5]`, "4-7", the mask "0xf0", or "big" for
            those with the highest clock, which is one core on many phones; all where None.
        runs: at least this many are measured.
        warmup_runs: at least this many before, and half a second of them.
        min_seconds: measured time, at least.
        max_seconds: measured time after which no further run starts.
        profile: whether a second run measures operators and memory.
        compare: whether a GPU or NNAPI also answers three images of random pixels, once for all numbers of threads;
            notes say what is wrong with its answers beside the interpreter's here. The file is run here for it, in a
            child process first.
        cool_below: degrees Celsius of the battery that a measurement waits for; None does not wait.
        cool_seconds: the longest wait before each.
        tell: called with sentences for the person who waits.

    Raises:
        ModelError: a file that is none, an argument out of range, several phones and none is named, a tool for another
            processor.
        MeasurementError: no adb, no phone, one that is not ready or was lost, no space on it, or a tool that failed or
            measured something else than was asked for.
    """
    numbers = wholes("threads", threads, 1)
    plans = [Options(number, runs, warmup_runs, min_seconds, max_seconds, delegate) for number in numbers]
    path, content = Path(path), read_model(path)
    say = tell or (lambda sentence: None)
    device = Device(serial)
    phone = read_phone(device)
    mask = cores_mask(cores, phone)
    if mask is not None:
        check_threads(max(numbers), mask)
    program = find_program(device, phone, tool)
    results = []
    with orderly(), PhoneFolder(device, mask=mask, tell=say) as folder:
        command = place_tool(folder, program)
        graph = folder.send(path, "model.tflite")
        for options in plans:
            battery, note = wait_until_cool(device, below=cool_below, seconds=cool_seconds, tell=say)
            several = "s" if options.threads > 1 else ""
            say(f"Measuring {path.name} on {phone.name}, {options.threads} thread{several}, {delegate}")
            found = measure(folder, command, graph, options, profile=profile)
            asked = compare and options.delegate in ACCELERATORS and options is plans[0]
            wrong = notes_on_answers(folder, command, graph, path, options) if asked else ()
            results.append(
                found.result(
                    path,
                    threads=options.threads,
                    images=images_in(content),
                    operators=operators_in(content),
                    bytes=len(content),
                    device=phone.name,
                    versions={"android": phone.android or "unknown"},
                    tool=program.name,
                    notes=(*wrong, *(() if note is None else (note,))),
                    phone={
                        **phone.to_dict(),
                        "affinity": mask,
                        "battery": battery.to_dict(),
                        "temperature_after": read_battery(device).temperature,
                    },
                )
            )
    return tuple(results)


def cores_mask(cores: Sequence[int] | str | None, phone: Phone) -> str | None:
    """The mask of the cores to use on a phone.

    Raises:
        ModelError: cores that it does not have, or "big" where it does not tell the clocks.
    """
    if cores is None:
        return None
    if cores != "big":
        return affinity_mask(cores, available=phone.cores or None)
    if not phone.big_cores:
        raise ModelError("Expected numbers of cores. Received: cores='big' for a phone that does not tell its clocks")
    return affinity_mask(phone.big_cores)


def place_tool(folder: PhoneFolder, program: Program) -> str:
    """The path of the tool on the phone, copied there where it is not yet."""
    if program.local is None:
        return str(program.remote)
    return folder.send(program.local, "benchmark_model", executable=True)
