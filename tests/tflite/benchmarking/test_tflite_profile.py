"""Profiles: the operators of a known network, what they add up to, and files and libraries that have none."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from support import hostile_files
from support.odd_files import converted

import tflite
from tflite import BenchmarkResult, MeasurementError, ModelError
from tflite.benchmarking import litert_c_api, profile_session
from tflite.benchmarking.litert_c_api import Event, LibraryError
from tflite.isolation import Worker
from tflite.isolation.worker import ChildEnded


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Operators that take long enough for a clock of microseconds."""
    inputs = keras.Input((48, 48, 16))
    x = layers.Conv2D(32, 3, activation="relu", name="first")(inputs)
    x = layers.DepthwiseConv2D(3, name="second")(x)
    x = layers.GlobalAveragePooling2D(name="third")(x)
    model = keras.Model(inputs, layers.Dense(10, name="fourth")(x))
    return tflite.convert(model, tmp_path_factory.mktemp("small") / "small.tflite").path


def test_operators_without_a_delegate(small):
    found = tflite.profile(small, delegate="none", runs=20)
    assert [one.type for one in found.operators] == [op.name for op in tflite.inspect(small).operators]
    assert [one.type for one in found.operators] == ["CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "FULLY_CONNECTED"]
    for one, layer in zip(found.operators[:3], ("first", "second", "third"), strict=True):
        assert layer in one.name
    assert not any(one.delegated for one in found.operators)
    assert found.fallback_share == pytest.approx(1.0)
    assert found.operators[0].share == max(one.share for one in found.operators)
    check_sums(found)


def test_operators_inside_the_delegate(small):
    found = tflite.profile(small, runs=20)
    assert all(one.delegated for one in found.operators)
    assert found.fallback_share == 0.0
    kinds = " ".join(one.type for one in found.operators)
    for part in ("Convolution (NHWC, F32) IGEMM", "DWConv", "Mean", "Fully Connected"):
        assert part in kinds
    assert found.operators[0].name == f"{found.operators[0].type}:0"
    check_sums(found)


def check_sums(found):
    assert (found.reason, found.runs) == (None, 20)
    assert all(one.calls == 1 for one in found.operators)
    assert sum(one.share for one in found.operators) == pytest.approx(1.0)
    assert found.operators_ms == pytest.approx(sum(one.mean_ms for one in found.operators))
    for one in found.operators:
        assert one.share == pytest.approx(one.mean_ms / found.operators_ms)
    assert 0.75 * found.run_ms < found.operators_ms <= found.run_ms


def test_what_the_delegate_leaves(files):
    """The conversion from uint8 pixels stays with the interpreter."""
    found = tflite.profile(files["int8"].path, runs=np.int64(5), threads=np.int64(2))
    (left,) = (one for one in found.operators if not one.delegated)
    assert left.type == "QUANTIZE"
    assert found.to_dict()["threads"] == 2


def test_part_of_a_benchmark(small):
    got = tflite.benchmark(small, runs=3, min_seconds=0, profile=True)
    assert {one.type for one in got.operators} == {one.type for one in tflite.profile(small, runs=1).operators}
    assert BenchmarkResult.from_json(got.to_json()) == got
    assert not any("operators" in note for note in got.notes)


def test_files_whose_operators_cannot_be_told(tmp_path, monkeypatch):
    loop = tmp_path / "loop.tflite"
    loop.write_bytes(hostile_files.counts_to(1000))
    found = tflite.profile(loop, runs=2)
    assert found.operators is found.operators_ms is found.fallback_share is None
    assert found.reason == "the file has control flow (WHILE), whose operators count twice"
    assert found.run_ms > 0
    got = tflite.benchmark(loop, runs=1, min_seconds=0, profile=True)
    assert got.operators is None
    assert got.notes[-1] == f"The times of operators are not known: {found.reason}"


@pytest.mark.parametrize("delegate", ["xnnpack", "none"])
def test_open_sizes_are_profiled_as_they_are_written(tmp_path, delegate):
    path = tmp_path / "open.tflite"
    path.write_bytes(hostile_files.sum_of_rows(open_size=True))
    got = tflite.profile(path, runs=2, delegate=delegate)
    assert got.reason is None
    assert len(got.operators) == 1
    assert got.operators[0].delegated == (delegate == "xnnpack")


def test_a_flattened_image_of_an_open_batch_is_profiled(tmp_path):
    """As the converter writes nearly every network: the batch is read off the input while it runs."""
    weights = np.ones((12, 3), "float32")
    path = converted(
        lambda x: tf.nn.softmax(tf.reshape(x, (tf.shape(x)[0], 12)) @ weights),
        None,
        2,
        2,
        3,
        path=tmp_path / "a.tflite",
    )
    assert tflite.inspect(path).operators[0].inputs[0].open_shape
    got = tflite.profile(path, runs=3, delegate="none")
    assert got.reason is None
    assert [operator.type for operator in got.operators] == [op.name for op in tflite.inspect(path).operators]
    noted = tflite.benchmark(path, runs=1, min_seconds=0, rounds=1, profile=True)
    assert noted.operators
    assert not [note for note in noted.notes if "operators are not known" in note]


def test_hostile_files(tmp_path):
    path = tmp_path / "hostile.tflite"
    for content, message in [
        (hostile_files.crash_while_running(), "the interpreter crashed"),
        (b"\0\0\0\0TFL3" + bytes(100), "damaged or truncated"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            tflite.profile(path, runs=1)
    with pytest.raises(ModelError, match="does not exist"):
        tflite.profile(tmp_path / "nowhere.tflite")


def test_arguments(small):
    for options, message in [
        ({"runs": 0}, "`runs`. Expected at least 1"),
        ({"delegate": "gpu"}, "`delegate`. Expected one of"),
        ({"threads": 0}, "`threads`. Expected at least 1"),
        ({"threads": 1.5}, "`threads`. Expected a whole number"),
        ({"seed": -1}, "`seed`. Expected at least 0"),
        ({"max_seconds": np.inf}, "`max_seconds`. Expected a finite number"),
        ({"inputs": np.zeros((1, 2))}, "Expected `inputs` of shape"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.profile(small, **options)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ChildEnded("'a' ended"), "LiteRT's library: 'a' ended"), (MeasurementError("odd"), "LiteRT's library: odd")],
)
def test_a_library_that_crashes_leaves_the_whole(small, monkeypatch, error, reason):
    call = Worker.call

    def fails(worker, job, **arguments):
        if job == "profile":
            raise error
        return call(worker, job, **arguments)

    monkeypatch.setattr(Worker, "call", fails)
    found = tflite.profile(small, runs=3)
    assert (found.operators, found.reason, found.runs) == (None, reason, 3)
    assert found.run_ms > 0


def run_here(path, **options):
    asked = {"threads": 1, "delegate": "xnnpack", "inputs": None, "seed": 0, "runs": 4, "warmup_runs": 2}
    return profile_session.profile({}, str(path), **{**asked, "max_seconds": 9.0, **options})


def test_a_library_that_is_missing_or_lacks_a_function(small, monkeypatch):
    monkeypatch.setitem(litert_c_api._NAMES, "linux", "libNothing.so")
    monkeypatch.setattr(litert_c_api.sys, "platform", "linux")
    assert run_here(small)["reason"].startswith("LiteRT's library: libNothing.so cannot be loaded")
    monkeypatch.setattr(litert_c_api, "_load", lambda: object())
    assert run_here(small)["reason"] == "LiteRT's library: it has no LiteRtCreateEnvironment"

    class Refuses:
        @staticmethod
        def LiteRtCreateEnvironment(*_):
            return 5

    monkeypatch.setattr(litert_c_api, "_load", lambda: Refuses)
    assert run_here(small)["reason"] == "LiteRT's library: LiteRtCreateEnvironment failed with status 5"


def event(tag, kind, index, elapsed, subgraph=0):
    return Event(tag=tag, kind=kind, index=index, elapsed_us=elapsed, subgraph=subgraph)


class Model:
    """Runs that a test makes up; every other one is interrupted."""

    def __init__(self, *_):
        self.runs = 0

    def fill(self, values):
        assert [array.shape for array in values] == [(1, 48, 48, 16)]

    def run(self):
        return

    def profiled(self):
        self.runs += 1
        late = 1000 if self.runs % 2 else 0
        return [
            event(b"Invoke", 1, 0, 40 + late),
            event(b"CONV_2D", 2, 0, 10),
            event(b"Add (ND)", 8, 0, 3),
            event(b"Add (ND)", 8, 1, 4 + late),
            event(b"TfLiteXNNPackDelegate", 2, 9, 7 + late),
            event(b"LSTM", 2, 7, 1),
            event(b"ADD", 2, 3, 100, subgraph=1),
            event(b"Add (ND)", 8, 0, 5),
            event(b"Invoke", 32, 2**32, -1),
        ]


def test_what_becomes_of_events(small, monkeypatch):
    """Two partitions have their own numbers, other subgraphs are left out, and interrupted runs do not count."""
    monkeypatch.setattr(profile_session, "CompiledModel", Model)
    name = tflite.inspect(small).operators[0].outputs[0].name
    assert run_here(small) == {
        "rows": [
            [name, "CONV_2D", False, 20, 2],
            ["Add (ND):0", "Add (ND)", True, 6, 2],
            ["Add (ND):1", "Add (ND)", True, 8, 2],
            ["LSTM:7", "LSTM", False, 2, 2],
            ["Add (ND):0 of partition 2", "Add (ND)", True, 10, 2],
        ],
        "run_us": 40.0,
        "kept": 2,
        "runs": 4,
    }
    assert run_here(small, max_seconds=0.0)["runs"] == 1


def test_a_profiler_that_sees_nothing(small, monkeypatch):
    monkeypatch.setattr(Model, "profiled", lambda _: [])
    monkeypatch.setattr(profile_session, "CompiledModel", Model)
    assert run_here(small)["reason"] == "LiteRT's library: its profiler saw no operator"
    monkeypatch.setattr(Model, "fill", lambda *_: (_ for _ in ()).throw(LibraryError("an input has 1 bytes and not 2")))
    assert run_here(small)["reason"] == "LiteRT's library: an input has 1 bytes and not 2"
