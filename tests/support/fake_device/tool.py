"""A benchmark_model that is a script: any generation, with any fault. It runs the model where outputs are asked for.

Its GPU may have faults of its own: answers that are wrong, NaN, zero or the same for all images, and a crash.
"""

import hashlib
import math
import os
import signal
import struct
import sys
import time
from pathlib import Path

from support.fake_device import generations, profiles, result_file
from support.fake_device.generations import Phase, Run

WARMUP, RUNS = (2190, 83, 84, 81), (109, 82, 80, 443, 78, 82)
OPERATORS = [("CONV_2D", "[a, b]:0", 0.06), ("SOFTMAX", "[scores]:1", 0.02)]
PEAK_MB = 7.5

_FIRST = {"graph", "num_runs", "num_threads", "warmup_runs", "input_layer", "input_layer_shape", "use_nnapi"}
_SECOND = {*_FIRST, "min_secs", "max_secs", "warmup_min_secs", "use_gpu", "enable_op_profiling"}
_THIRD = {*_SECOND, "use_xnnpack", "profiling_output_csv_file", "input_layer_value_files"}
_FOURTH = {*_THIRD, "report_peak_memory_footprint", "output_filepath"}
_FIFTH = {*_FOURTH, "result_file_path", "op_profiling_output_mode", "op_profiling_output_file"}
_BASE = {"graph", "num_runs", "num_threads", "warmup_runs", "min_secs", "max_secs", "warmup_min_secs", "use_gpu"}
_LITERT = {*_BASE, "report_peak_memory_footprint", "result_file_path", "use_profiler"}
KNOWN = {"2018": _FIRST, "2019": _SECOND, "2020": _THIRD, "2022": _FOURTH, "2024": _FIFTH, "litert": _LITERT}


def make(
    folder, generation="2024", *, fault=None, name="benchmark_model", delegate=None, gpu=None, taken=None, kept=None
):
    """The tool as a file. `delegate` is the one that it takes whatever is asked for.

    `gpu` is a fault that it has on the GPU alone: "wrong", "nan", "zero", "same" or "crash". `taken` are pairs by
    delegate: how many operators it takes, and of how many. `kept` is a folder of answers that are computed once.
    """
    path = Path(folder) / name
    here = Path(__file__).resolve().parents[2]
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(here)!r})\n"
        f"from support.fake_device import tool\ntool.main({generation!r}, {fault!r}, {delegate!r}, "
        f"{gpu!r}, {taken!r}, {kept and str(kept)!r})\n"
    )
    path.chmod(0o755)
    return path


def main(generation, fault, delegate, gpu=None, taken=None, kept=None):
    given = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    flags = {name: value for name, value in given.items() if name in KNOWN[generation]}
    unconsumed = " ".join(f"--{name}={value}" for name, value in given.items() if name not in flags)
    on_gpu = (delegate or _delegate(flags)) == "gpu"
    _fail("crash" if on_gpu and gpu == "crash" else fault, flags)
    if not Path(flags["graph"]).is_file():
        print(f"ERROR: Failed to load model {flags['graph']}\nBenchmarking failed.")
        sys.exit(1)
    run = Run(
        Phase(WARMUP if int(flags.get("warmup_runs", 1)) else ()),
        Phase(RUNS),
        graph=flags["graph"],
        threads=int(flags.get("num_threads", 1)),
        peak_mb=PEAK_MB if flags.get("report_peak_memory_footprint") == "true" else None,
        delegate=delegate or _delegate(flags),
        unconsumed=unconsumed,
        taken=(taken or {}).get(delegate or _delegate(flags)),
    )
    print(generations.text(generation, run), end="", flush=True)
    _write_files(generation, flags, run, fault, gpu if on_gpu else None, kept)
    if fault == "exit":
        sys.exit(3)


def _delegate(flags):
    asked = [name for name in ("gpu", "nnapi") if flags.get(f"use_{name}") == "true"]
    return (asked or ["none" if flags.get("use_xnnpack") == "false" else "xnnpack"])[0]


def _fail(fault, flags):
    if fault == "crash":
        print("INFO: STARTING!", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "hang":
        print("INFO: STARTING!", flush=True)
        time.sleep(600)
    if fault == "nonsense":
        print("\0\1\2 count=count=7 Inference timings in us: Init: yes\n" * 3, end="")
        sys.exit(0)
    if fault == "silent":
        sys.exit(0)
    if fault == "slow":
        time.sleep(1.5)


def _write_files(generation, flags, run, fault, gpu, kept):
    if flags.get("enable_op_profiling") == "true" or flags.get("use_profiler") == "true":
        csv = flags.get("op_profiling_output_file") or flags.get("profiling_output_csv_file")
        rows = [profiles.LITERT_BEFORE, *OPERATORS, profiles.LITERT_AFTER] if generation == "litert" else OPERATORS
        if csv:
            Path(csv).write_text(profiles.whole(profiles.written(rows)))
        else:
            print(profiles.whole(profiles.printed(rows)))
    if "result_file_path" in flags:
        content = result_file.of_run(run)
        if fault == "stale":
            content = result_file.of_run(Run(run.warmup, Phase((900, 1000))))
        Path(flags["result_file_path"]).write_bytes(content[:-4] if fault == "cut" else content)
    if "output_filepath" in flags:
        name, _, file = flags["input_layer_value_files"].partition(":")
        assert name == flags["input_layer"]
        shape = [int(size) for size in flags["input_layer_shape"].split(",")]
        content = _known(flags["graph"], Path(file).read_bytes(), shape, kept)
        Path(flags["output_filepath"]).write_bytes(_spoiled(content, gpu) if gpu else content)


def _answer(graph, content, shape):
    """The bytes of the model's outputs for the bytes of its input."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=graph)
    interpreter.allocate_tensors()
    (detail,) = interpreter.get_input_details()
    interpreter.set_tensor(detail["index"], np.frombuffer(content, detail["dtype"]).reshape(shape))
    interpreter.invoke()
    return b"".join(interpreter.get_tensor(output["index"]).tobytes() for output in interpreter.get_output_details())


def _known(graph, content, shape, kept):
    """The same; starting an interpreter takes most of the time of a test."""
    if kept is None:
        return _answer(graph, content, shape)
    place = Path(kept) / hashlib.sha256(Path(graph).read_bytes() + content).hexdigest()
    if not place.exists():
        place.write_bytes(_answer(graph, content, shape))
    return place.read_bytes()


def _spoiled(content, gpu):
    """The bytes of ten outputs, int8 or float32, as a GPU with a fault has them."""
    kind = "b" if len(content) == 10 else "f"
    right = struct.unpack(f"10{kind}", content)
    wrong = {"wrong": sorted(right), "nan": [math.nan] * 10, "zero": [0] * 10, "same": range(10)}[gpu]
    return struct.pack(f"10{kind}", *wrong)
