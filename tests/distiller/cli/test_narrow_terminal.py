"""Bars and tables on a terminal of 80 columns."""

import io
import re

import pytest
from rich.console import Console
from support import made_reports

from distiller import report
from distiller.report.content import Report
from distiller.utils.progress import Reporter


def shown(console):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())


@pytest.mark.parametrize("title", ["distilled, seed 0", "quantization_aware_with_a_long_name_of_its_own, seed 10"])
def test_a_bar_keeps_count_and_remaining_time_beside_what_is_said(title):
    console = Console(file=io.StringIO(), force_terminal=True, width=80, soft_wrap=True)
    with Reporter(console).task(title, 12345) as task:
        task.say("epoch 29/30 accuracy 0.9876 loss 0.1234 val_accuracy 0.9123")
        task.advance_to(12345)
    last = [line.rstrip() for line in shown(console).replace("\r", "\n").split("\n") if "12345/12345" in line][-1]
    last = last[last.rindex(title[:10]) :]
    assert len(last) <= 80
    assert re.fullmatch(r".+ ━+ 12345/12345 \d:\d\d:\d\d \d:\d\d:\d\d", last)
    assert title[-6:] in last
    assert "  epoch 29/30 accuracy 0.9876 loss 0.1234 val_accuracy 0.9123" in shown(console)


def content():
    found = made_reports.made()
    found["teacher"] |= {"name": "wide_cifar100"}
    for entry in [*found["students"], *found["tflite"], *found["curves"]]:
        key = "student" if "student" in entry else "name"
        entry[key] = entry[key].replace("distilled", "quantization_aware")
    return Report.model_validate(found)


def test_a_table_breaks_no_name_and_no_number():
    console = Console(file=io.StringIO(), width=80)
    console.print(report.rich_table(content(), 80))
    text = shown(console)
    assert max(map(len, text.split("\n"))) <= 80
    for word in (
        "quantization aware",
        "(wide_cifar100)",
        "float32",
        "≈ 36.0 MB",
        "95.00",
        "± 0.26",
        "Accuracy",
        "Seeds",
    ):
        assert word in text
    assert "…" not in text


def test_a_wide_terminal_has_the_table_on_lines_of_one_row():
    console = Console(file=io.StringIO(), width=140)
    console.print(report.rich_table(content(), 140))
    assert "│ quantization aware      │ float   │ 93.13 ± 0.15 │" in shown(console)
