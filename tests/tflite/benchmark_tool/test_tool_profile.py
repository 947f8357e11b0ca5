"""Tables of operators, printed and as CSV, of every generation."""

import pytest
from support.fake_device import profiles

from tflite import ModelError, OperatorTime
from tflite.benchmark_tool.operator_profile import has_profile, parse_profile, parse_total

ROWS = [("CONV_2D", "[a, b]:0", 0.06), ("CONV_2D", "[c;d]:1", 0.03), ("SOFTMAX", "[scores]:2", 0.01)]
LEFT = [("TfLiteXNNPackDelegate", "[scores]:30", 0.09), ("SOFTMAX", "[scores]:2", 0.01)]
INSIDE = [
    ("Convolution (NHWC, QC8) IGEMM", "Delegate/Convolution (NHWC, QC8) IGEMM:0", 0.06),
    ("Fully Connected (NC, QD8, F32, QC4W) GEMM", "Delegate/Fully Connected:1", 0.02),
]
PREPARATION = [("ModifyGraphWithDelegate", "ModifyGraphWithDelegate/0", 54.5), ("AllocateTensors", "x/0", 1.4)]


@pytest.mark.parametrize("form", [profiles.printed, profiles.written])
@pytest.mark.parametrize("start", [True, False])
@pytest.mark.parametrize("preparation", [True, False])
def test_operators_in_their_order(form, start, preparation):
    text = profiles.whole(form(ROWS, start=start), preparation=form(PREPARATION, start=start) if preparation else None)
    assert has_profile(text)
    assert parse_profile(text) == tuple(
        OperatorTime(name, kind, ms, pytest.approx(ms / 0.1), 1, False) for kind, name, ms in ROWS
    )


@pytest.mark.parametrize("form", [profiles.printed, profiles.written])
def test_what_happened_inside_a_delegate(form):
    """Instead of the partition as a whole; the shares are of the time of all."""
    got = parse_profile(profiles.whole(form(LEFT), inside=form(INSIDE), preparation=form(PREPARATION)))
    assert got == (
        OperatorTime("[scores]:2", "SOFTMAX", 0.01, pytest.approx(1 / 9), 1, False),
        OperatorTime(INSIDE[0][1], INSIDE[0][0], 0.06, pytest.approx(6 / 9), 1, True),
        OperatorTime(INSIDE[1][1], INSIDE[1][0], 0.02, pytest.approx(2 / 9), 1, True),
    )


def test_a_delegate_that_tells_nothing():
    got = parse_profile(profiles.whole(profiles.printed(LEFT)))
    assert [(op.type, op.delegated) for op in got] == [("TfLiteXNNPackDelegate", True), ("SOFTMAX", False)]
    got = parse_profile(profiles.printed([("LITERT_CL", "[scores]:30", 0.09), LEFT[1]]))
    assert [(op.type, op.delegated) for op in got] == [("LITERT_CL", True), ("SOFTMAX", False)]


def test_litert_has_all_in_one_table():
    rows = [*PREPARATION, profiles.LITERT_BEFORE, *INSIDE, ("SOFTMAX", "[scores]:2", 0.02), profiles.LITERT_AFTER]
    text = profiles.printed(rows)
    assert [(op.type[:7], op.delegated, round(op.share, 6)) for op in parse_profile(text)] == [
        ("Convolu", True, 0.6),
        ("Fully C", True, 0.2),
        ("SOFTMAX", False, 0.2),
    ]


def test_operators_that_run_several_times():
    got = parse_profile(profiles.whole(profiles.written(ROWS, calls=3)))
    assert [op.calls for op in got] == [3, 3, 3]
    assert [op.mean_ms for op in got] == pytest.approx([0.18, 0.09, 0.03])
    assert [op.calls for op in parse_profile(profiles.printed(ROWS, calls=0))] == [1, 1, 1]


def test_from_spaces_instead_of_tabs_with_a_logger_in_front():
    text = profiles.whole(profiles.printed(ROWS, start=True)).replace("\t", "     ")
    lines = "".join(f"05-31 10:31:13.041 217 217 I tflite  : {line}\n" for line in text.split("\n"))
    assert [op.type for op in parse_profile(lines)] == ["CONV_2D", "CONV_2D", "SOFTMAX"]


def test_the_time_of_all_operators():
    found = parse_total(profiles.whole(profiles.written(ROWS)))
    assert (found.count, found.mean, found.std, found.min, found.max) == (50, 85.277, 9, 78, 443)
    with pytest.raises(ModelError, match="Expected the times of all operators"):
        parse_total("Timings (microseconds): count=0\n")


def test_tables_that_are_refused():
    text = profiles.whole(profiles.printed(ROWS))
    lines = text.split("\n")
    for wrong, message in [
        ("", "a table of operators in their run order. Received: none"),
        (f"{profiles.PREPARATION}\n{profiles.printed(PREPARATION)}", "Received: that of the preparation alone"),
        ("\n".join(lines[:5]), "a row for each of the operators. Received: 1, cut off"),
        ("\n".join(lines[:4] + lines[5:]), "a row for each of 3 operators. Received: 2, cut off"),
        (text.replace("[avg ms]", "[median]"), "the header of a table of operators"),
        (text.replace("0.060", "0.0six"), "Expected a row of the columns"),
        (text.split("Number of nodes")[0], "a row for each of the operators. Received: 3, cut off"),
        (profiles.TITLE.format("Run Order") + "\n", "Received: none|header"),
    ]:
        with pytest.raises(ModelError, match=message):
            parse_profile(wrong)
