"""Answers of a phone's delegates, one or side by side."""

from typing import TYPE_CHECKING

from distiller.cli.console import show
from distiller.cli.latencies import delegated
from distiller.utils.terminal import print

if TYPE_CHECKING:
    from tflite.android import DelegateComparison, PhoneEvaluation


def show_evaluation(found: "PhoneEvaluation", split: str) -> None:
    """Print what one delegate answered."""
    print(f"Accuracy {found.accuracy:.2%} on {found.samples:,} {split} images, on {found.device}")
    print(f"The same class as here on {found.agreement:.2%}; largest difference of an output {found.max_difference:g}")
    if found.cpu_agreement is not None:
        print(
            f"The same class as on the phone's CPU on {found.cpu_agreement:.2%}; largest difference of an output "
            f"{found.cpu_max_difference:g}"
        )
    if taken := delegated(found):
        print(f"{found.delegate} ran {taken} operators")
    _print_left(found)
    for note in found.notes:
        print(note)
    for flag in found.flags:
        print(f"Wrong: {flag}")


def show_comparison(found: "DelegateComparison", split: str) -> None:
    """Print what several delegates answered, a row each, and what is wrong with it."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    names = ("delegate", "delegated", "accuracy", "as here", "difference", "as its CPU", "difference", "NaN", "zero")
    for name in names:
        table.add_column(name, justify="left" if name == "delegate" else "right", overflow="fold")
    for one in found.evaluations:
        cpu = ("", "")
        if one.cpu_agreement is not None and one.cpu_max_difference is not None:
            cpu = (f"{one.cpu_agreement:.2%}", f"{one.cpu_max_difference:g}")
        table.add_row(
            one.delegate,
            delegated(one),
            f"{one.accuracy:.2%}",
            f"{one.agreement:.2%}",
            f"{one.max_difference:g}",
            *cpu,
            str(one.nan_images),
            str(one.zero_images),
        )
    for name in found.failures:
        table.add_row(name, "", "failed", *[""] * 6)
    show(table)
    for first in found.evaluations[:1]:
        print(f'{first.samples:,} {split} images on {first.device}; "as" is the share with the same class')
    for one in found.evaluations:
        for note in one.notes:
            print(f"{one.delegate}: {note}")
        for flag in one.flags:
            print(f"{one.delegate} is wrong: {flag}")
        _print_left(one)
    for name, reason in found.failures.items():
        print(f"{name} failed: {reason}")


def _print_left(one: "PhoneEvaluation") -> None:
    """Print which operators a delegate leaves by its list, where it did not run all."""
    import tflite

    if one.delegated_operators is None or one.delegated_operators == one.file_operators:
        return
    for fit in tflite.inspect(one.path).delegates:
        for why, names in fit.reasons().items() if fit.delegate == one.delegate else ():
            kinds = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
            print(f"{one.delegate} leaves, by its documented list, {kinds}: {why}")
