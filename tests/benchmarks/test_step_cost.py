"""Steps are timed in turn, compared round by round, recorded a line each, and the table is what was recorded."""

import contextlib
import dataclasses
import io

import keras
import numpy as np
import pytest

from benchmarks.documents import step_cost as step_cost_table
from benchmarks.results import lines
from benchmarks.speed import step_cost
from benchmarks.speed.measuring import goals, timing
from benchmarks.speed.workloads import keras_distillation, training_steps
from benchmarks.speed.workloads.setting import Setting
from distiller import objectives
from distiller.errors import WorkError

MADE = {
    "run": "2026-01-02T03:04:05+00:00",
    "versions": {"tensorflow": "2.21.0", "keras": "3.15.0"},
    "machine": {"processor": "A processor", "cores": 2},
    "arguments": {"student": "resnet8", "teacher": "resnet20", "batch": 128, "precision": "float32", "size": 32}
    | {"rounds": 3, "steps": 8},
}


def line(kind, contestant, seconds, places=None, **made):
    return {"kind": kind, "contestant": contestant, "places": places, "seconds": seconds, **MADE, **made}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny mode from end to end: its lines and what it prints."""
    out = tmp_path_factory.mktemp("tiny") / "step_cost.jsonl"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert step_cost.main(["--tiny", "--out", str(out)]) == 0
    return lines.read(out), printed.getvalue()


def test_every_objective_has_a_line(tiny):
    recorded, _ = tiny
    timed = {line["contestant"]: line for line in recorded if line["kind"] != "goal"}
    assert set(timed) == {
        *objectives.OBJECTIVES,
        *("contrastive, queue", "contrastive, memory", "hinton, stored answers"),
        *("hinton, frozen teacher", "hint, frozen teacher"),
        *("student", "teacher, forward", "student, bare layers", "student, quantization-aware"),
        *("batches, crop and flip", "batches, crop and flip, stored answers"),
        *("keras.distillation, logits", "keras.distillation, logits, bare layers"),
        *("keras.distillation, features", "keras.distillation, features, bare layers"),
    }
    for line in timed.values():
        assert len(line["seconds"]) == 1
        assert line["seconds"][0] > 0
        assert {"versions", "machine", "commit"} <= line.keys()
        assert line["arguments"]["student"] == "wide"
    assert {line["run"] for line in recorded} == {recorded[0]["run"]}


def test_every_goal_has_a_line_and_is_printed(tiny):
    recorded, printed = tiny
    seconds = {line["contestant"]: line["seconds"][0] for line in recorded if line["kind"] != "goal"}
    found = [line for line in recorded if line["kind"] == "goal"]
    limits = [1.0, 1.0, 0.75, 0.75, 0.625, 0.5, 0.4, 0.5, 0.4, 1.05, 1.3, 1.2, 1 / 3, 1 / 3, 1.05]
    assert [line["limit"] for line in found] == limits
    sums = seconds["student"] + seconds["teacher, forward"]
    assert found[-1]["ratio"]["median"] == pytest.approx(seconds["hinton"] / sums)
    assert found[2]["ratio"]["median"] == pytest.approx(seconds["hint"] / seconds["keras.distillation, features"])
    for line in found:
        assert line["goal"] in printed


def test_a_ratio_is_the_median_of_those_of_the_rounds():
    # 2/1, 4/1, 9/3; the ratio of the medians is 4.
    assert timing.ratio([2.0, 4.0, 9.0], [1.0, 1.0, 3.0]) == timing.Ratio(3.0, 2.0, 4.0)
    # 2/(1 + 1), 4/(1 + 3), 9/(3 + 1.5).
    assert timing.ratio([2.0, 4.0, 9.0], [1.0, 1.0, 3.0], [1.0, 3.0, 1.5]) == timing.Ratio(1.0, 1.0, 2.0)
    with pytest.raises(ValueError, match="shorter"):
        timing.ratio([1.0, 2.0], [1.0])


# Ranks of the interval of at least 95 % for a median, as statistical tables have them.
@pytest.mark.parametrize(
    ("rounds", "low", "high"), [(1, 1, 1), (5, 1, 5), (6, 1, 6), (9, 2, 8), (15, 4, 12), (20, 6, 15)]
)
def test_the_interval_is_between_two_of_the_rounds(rounds, low, high):
    found = timing.ratio([float(rank) for rank in reversed(range(1, rounds + 1))], [1.0] * rounds)
    assert (found.low, found.high) == (low, high)


def test_contestants_take_turns(monkeypatch):
    clock, made, done = [0.0], [], []
    lasting = {"a": 1.0, "b": 2.0, "c": 4.0}
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])

    def step(name):
        clock[0] += lasting[name] + len(made)
        made.append(name)
        return {"loss": np.float32(1.0)}

    steps = {name: lambda name=name: step(name) for name in lasting}
    seconds = timing.time_in_rounds(steps, rounds=8, count=2, done=done.append)
    turns = made[::2]
    assert made[1::2] == turns
    rounds = [turns[start : start + 3] for start in range(0, 24, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1
    # The two steps of turn n last as long as the contestant does, and 2 n and 2 n + 1 more.
    assert seconds["b"] == [2.0 + 2 * turn + 0.5 for turn, name in enumerate(turns) if name == "b"]
    assert done == list(range(1, 25))


def test_a_step_whose_loss_is_no_number_is_named():
    steps = {"fine": lambda: {"loss": np.float32(1.0)}, "wild": lambda: {"loss": np.float32("nan")}}
    with pytest.raises(WorkError, match="wild: a step of round 1"):
        timing.time_in_rounds(steps, rounds=1, count=1)


def test_the_distiller_and_its_peer_compute_the_same_loss():
    setting = Setting.tiny()
    ours = {one.name: one for one in training_steps.distillers(["hinton"])}["hinton"].make(setting)()
    peer = {one.name: one for one in keras_distillation.keras_workloads(setting)}[keras_distillation.LOGITS].make(
        setting
    )()
    assert float(ours["labels"]) == pytest.approx(float(peer["student_loss"]), rel=1e-5)
    assert float(ours["it"]) == pytest.approx(float(peer["distillation_loss"]), rel=1e-3)


def test_stored_answers_give_the_loss_of_the_teacher():
    setting = Setting.tiny()
    stored, live = training_steps.stored(), training_steps.distillers(["hinton"])[0]
    losses = [float(one.make(setting)()["it"]) for one in (stored, live)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_bare_layers_are_the_same_network_without_the_fused_normalisation(monkeypatch):
    setting = Setting.tiny()
    seen = []
    monkeypatch.setattr(Setting, "training", lambda self, model: seen.append(model))
    {one.name: one for one in keras_distillation.keras_workloads(setting)}[keras_distillation.PLAIN_BARE].make(setting)
    (bare,), fused = seen, setting.new_student()
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3))
    np.testing.assert_allclose(bare(images), fused(images), rtol=1e-5, atol=1e-6)
    for layer in bare.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert "call" not in vars(layer)
            assert "call" in vars(fused.get_layer(layer.name))


def test_keras_has_no_line_for_features_of_different_shapes():
    setting = Setting("resnet8", "wide", batch=2, size=8)
    assert not keras_distillation.features_agree(setting)
    names = {one.name for one in keras_distillation.keras_workloads(setting)}
    assert not {keras_distillation.FEATURES, keras_distillation.FEATURES_BARE} & names


def test_compiled_steps_train_and_predict_what_the_networks_do():
    setting = dataclasses.replace(Setting.tiny(), eager=False)
    step, forward = (one.make(setting) for one in training_steps.references())
    assert {"loss", "accuracy"} <= step().keys()
    images, _ = next(setting.batches())
    np.testing.assert_allclose(forward(), setting.shared_teacher(images, training=False), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("last", "expected"), [("stage3_add", "stage3_add"), ("stage3", "stage3")])
def test_a_stage_is_compared_before_its_activation(last, expected):
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Dense(2, name=last)(inputs))
    assert training_steps.layers_at(network, "stage3_add") == expected


def test_a_goal_is_judged_by_its_interval():
    assert goals.verdict(timing.Ratio(0.9, 0.8, 1.0), 1.0) == "met"
    assert goals.verdict(timing.Ratio(0.9, 0.8, 1.1), 1.0) == "open"
    assert goals.verdict(timing.Ratio(1.2, 1.1, 1.3), 1.0) == "missed"
    seconds = {"hinton": [3.0, 4.0, 6.0], "student": [1.0, 2.0, 2.0], "teacher, forward": [1.0, 2.0, 4.0]}
    ((goal, found),) = goals.judge(seconds)
    assert goal.limit == 1.05
    assert found == timing.Ratio(1.0, 1.0, 1.5)


def test_the_table_is_made_from_the_lines(tmp_path):
    path = tmp_path / "step_cost.jsonl"
    goal = {"kind": "goal", "goal": "a step costs little", "limit": 1.0, **MADE}
    run = [
        line("reference", "student", [0.010, 0.020, 0.040]),
        line("objective", "hinton", [0.020, 0.030, 0.080]),
        line("objective", "flow", [0.030, 0.080, 0.080], ["stage1", "stage2"]),
        {**goal, "ratio": {"median": 0.98, "low": 0.97, "high": 0.99}},
        {**goal, "ratio": {"median": 0.98, "low": 0.97, "high": 1.01}},
    ]
    lines.append(path, [line("reference", "student", [9.0], run="2026-01-01"), *run])
    assert step_cost_table.table(path).splitlines() == [
        "| step | compares | × student | interval | ms |",
        "| :--- | :--- | ---: | ---: | ---: |",
        "| student |  | 1.00 | 1.00 to 1.00 | 20.0 |",
        "| hinton |  | 2.00 | 1.50 to 2.00 | 30.0 |",
        "| flow | stage1, stage2 | 3.00 | 2.00 to 4.00 | 80.0 |",
        "",
        "- met: a step costs little: 0.980 (0.970 to 0.990).",
        "- open: a step costs little: 0.980 (0.970 to 1.010).",
        "- A step of 128 images of 32×32 in float32: resnet8 alone, or with its teacher resnet20; an objective's name "
        "is a step of the Distiller with it. Medians over 3 rounds of 8 steps each, in turn; the interval is that of "
        "all rounds, and a goal is open where its limit is inside. A processor, 2 cores; TensorFlow "
        "2.21.0, Keras 3.15.0.",
    ]


def test_how_much_faster_a_step_is_comes_from_the_last_run_of_each_precision_and_machine(tmp_path):
    path = tmp_path / "step_cost.jsonl"
    peer_of = {one: peer for _, one, peer in step_cost_table.FASTER}
    narrow = {"run": "later", "arguments": {**MADE["arguments"], "precision": "mixed_bfloat16"}}
    for made, times in (({"run": "before"}, 9.0), ({}, 2.0), (narrow, 4.0)):
        own = [line("objective", one, [0.1, 0.2, 0.1], **made) for one in peer_of]
        bare = [line("peer", peer, [0.1 * times, 0.2 * times, 0.3 * times], **made) for peer in {*peer_of.values()}]
        lines.append(path, [*own, *bare])
    rows = step_cost_table.speedup_table(path).splitlines()
    assert rows[0] == "| step | float32, A processor | mixed_bfloat16, A processor |"
    assert rows[2] == "| plain training | 2.00 (2.00 to 6.00) | 4.00 (4.00 to 12.00) |"
    assert len(rows) == 2 + len(step_cost_table.FASTER)


def test_every_setting_has_a_table(tmp_path):
    path = tmp_path / "step_cost.jsonl"
    other = {**MADE["arguments"], "precision": "mixed_bfloat16", "rounds": 6}
    runs = line("reference", "student", [1.0]), line("reference", "student", [2.0], run="later", arguments=other)
    lines.append(path, list(runs))
    first, second = step_cost_table.table(path).split("\n\n| step")
    assert "float32" in first
    assert "mixed_bfloat16" in second
    assert "95 % or more" in second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tiny"], "give --results another folder or file"),
        (["--objectives", "hinton"], "give --results another folder or file"),
        (["--rounds", "0"], "expected 1 or more, received 0"),
        (["--precision", "float8"], "invalid choice"),
    ],
)
def test_a_wrong_call_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        step_cost.main(arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objectives", "hintn", "--tiny"], "Unknown objective 'hintn'. Did you mean 'hinton'"),
        (["--student", "resnet9"], "Unknown model 'resnet9'. Did you mean 'resnet8'"),
    ],
)
def test_what_is_unknown_has_the_nearest(arguments, message, tmp_path, capsys):
    out = tmp_path / "step_cost.jsonl"
    assert step_cost.main([*arguments, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()
