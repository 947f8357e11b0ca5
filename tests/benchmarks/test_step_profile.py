"""A profile is summed by kind of operator, over threads, a step."""

import keras
import pytest
import tensorflow as tf

from benchmarks.results import lines
from benchmarks.speed import step_profile
from benchmarks.speed.workloads.setting import Setting


def test_operators_of_a_profile_are_summed():
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    plane = space.planes.add(name="/host:CPU")
    names = (
        "net/a/Conv2D:_MklNativeConv2D",
        "net/b/Conv2D:_MklNativeConv2D",
        "net/relu:Relu",
        "EagerExecute",
        "Iterator::Map",
        "IO: read file",
    )
    for number, name in enumerate(names, start=1):
        plane.event_metadata[number].name = name
    for events in ((1, 2, 4, 6), (3, 2, 5)):  # two threads
        line = plane.lines.add()
        for number in events:
            line.events.add(metadata_id=number, duration_ps=number * 10**9)
    space.planes.add(name="elsewhere").event_metadata[1].name = "x:Conv2D"
    found = step_profile.operators(space.SerializeToString(), steps=2)
    assert found == {
        # 1 + 2 + 2 ms in two steps.
        "Conv2D": {"runs": pytest.approx(1.5), "ms": pytest.approx(2.5)},
        "Relu": {"runs": pytest.approx(0.5), "ms": pytest.approx(1.5)},
    }


def test_the_table_has_the_longest_and_all_others(tmp_path):
    kinds = {f"Op{i}": {"runs": 1.0, "ms": 10.0 - i} for i in range(10)}  # 10 … 1 ms: 55 in all
    line = {"step": "student", "operators": kinds, "run": "now", "arguments": {"precision": "float32"}}
    lines.append(tmp_path / "profile.jsonl", [line])
    rows = step_profile.table(tmp_path / "profile.jsonl").splitlines()
    assert rows[2] == "| student, float32 | Op0 | 1 | 10.00 | 18.2 |"
    assert rows[-1] == "| student, float32 | all others | 2 | 3.00 | 5.5 |"


def test_a_step_is_profiled(tmp_path):
    assert step_profile.main(["--tiny", "--steps", "1", "--out", str(tmp_path / "profile.jsonl")]) == 0
    plain, taught, aware = lines.read(tmp_path / "profile.jsonl")
    # The teacher is the same network and goes forward alone; its convolutions may be fused with what follows.
    convolutions = sum(isinstance(layer, keras.layers.Conv2D) for layer in Setting.tiny().new_student().layers)
    assert runs(taught, "Conv2D") == 2 * runs(plain, "Conv2D") == 2 * convolutions
    assert runs(taught, "Conv2DBackpropFilter") == runs(plain, "Conv2DBackpropFilter") > 0
    assert runs(plain, "FakeQuantWithMinMaxVars") == 0 < runs(aware, "FakeQuantWithMinMaxVars")


@pytest.fixture(autouse=True)
def _graphs_as_in_a_training():
    """The profile is of optimized graphs, which the other tests go without."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
    yield
    tf.config.optimizer.set_experimental_options(before)


def runs(line, kind):
    """Of an operator a step, fused with others or not."""
    return sum(own["runs"] for name, own in line["operators"].items() if name.removeprefix("Fused") == kind)
