"""`distiller inspect`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distiller.cli.console import plain, show
from distiller.cli.options import Json, TfliteFile, check_with
from distiller.utils.terminal import one_line, print

if TYPE_CHECKING:
    from rich.table import Table

    from tflite import Inspection

EPILOG = """[bold]Examples[/bold]

distiller inspect student.tflite

distiller inspect student.tflite --json

distiller inspect student.tflite --graph student.svg --overlay student-overlay.json
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("inspect", epilog=EPILOG)(inspect)


def inspect(
    context: typer.Context,
    file: TfliteFile,
    graph: Annotated[
        Path | None, typer.Option(help="Draw the graph: an .svg, .png or .pdf file to write.", show_default=False)
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(help="Write a number an operator, as JSON for Google's Model Explorer.", show_default=False),
    ] = None,
    overlay_of: Annotated[
        Literal["multiply_adds", "weight_bytes"], typer.Option(help="The number that --overlay writes.")
    ] = "multiply_adds",
    json: Json = False,
) -> None:
    """Operators, types, sizes and quantization of a TFLite file, what delegates take of it, which runtimes open it, and
    what to mend."""
    import tflite

    check_with(context, "--overlay", overlay is not None, "overlay_of")
    tflite.check(file, use="inspect")
    found = tflite.inspect(file)
    if graph:
        found.draw(graph)
    if overlay:
        found.overlay(overlay, overlay_of)
    if json:
        print(found.to_json())
    else:
        _print(found)


def _print(found: "Inspection") -> None:
    from rich.text import Text

    kind = "computes with integers alone" if found.is_integer else "computes with floating-point numbers"
    print(f"{found.path}: {found.bytes:,} bytes, {found.parameters:,} parameters, {kind}")
    for role, ports in (("input", found.inputs), ("output", found.outputs)):
        for port in ports:
            quantized = f", scale {port.scale:.6g}, zero point {port.zero_point}" if port.quantized else ""
            print(f"  {role} {one_line(port.name)}: {port.dtype} {list(port.shape)}{quantized}")
    for signature in found.signatures:
        taken, left = (
            ", ".join(one_line(name) for name, _ in ports) for ports in (signature.inputs, signature.outputs)
        )
        print(f"  signature {one_line(signature.name)}: {taken or 'nothing'} → {left or 'nothing'}")
    known = "at least " if any(cost.multiply_adds is None for cost in found.costs) else ""
    print(f"  {known}{found.multiply_adds:,} multiply-adds, about {found.arena_bytes:,} bytes of activations")
    print(f"  bytes of weights by type: {_counts(found.weight_bytes_by_type)}")
    print(f"  bytes of weights by operator: {_counts(found.weight_bytes_by_operator)}")
    if found.partitions is not None:
        count = sum(map(len, found.partitions))
        print(f"  XNNPACK takes {count} of {len(found.operators)} operators in {_partitions(found)}")
    show(_table(found))
    console = plain()
    for finding in found.findings:
        where = ", ".join(map(one_line, finding.where[:3])) + (
            f" and {len(finding.where) - 3} more" if len(finding.where) > 3 else ""
        )
        text = f": {finding.what}. {finding.remedy}.\n  {where}"
        console.print(Text.assemble("\n", (finding.kind, "bold"), text), soft_wrap=not console.is_terminal)
    if not found.findings:
        print("Nothing to mend was found")
    _print_delegates(found)
    for need in found.needs:
        print(f"Needs {need.kind}: {one_line(need.what)}")
    for runtime in found.runtimes:
        state = {True: "opens it", False: "does not open it", None: "may open it"}[runtime.opens]
        print(f"{runtime.name} {state}: {one_line(runtime.why)}")


def _print_delegates(found: "Inspection") -> None:
    """Print what accelerators leave to the CPU, by their documented lists."""
    if not found.delegates:
        return
    print("\nBy the documented lists, which are no phone:")
    for one in found.delegates:
        title = _TITLES.get(one.delegate, one.delegate)
        print(f"  {title} takes {one.taken} of {one.operators} operators ({one.source})")
        for why, names in one.reasons().items():
            kinds = ", ".join(f"{names.count(name)} {one_line(name)}" for name in dict.fromkeys(names))
            print(f"    leaves {kinds}: {why}")
        for note in one.notes:
            print(f"    {note}")


_TITLES = {"gpu": "The GPU delegate", "nnapi": "NNAPI", "xnnpack": "XNNPACK, on this machine,"}


def _partitions(found: "Inspection") -> str:
    count = len(found.partitions or ())
    return f"{count} partition" + "s" * (count != 1)


def _counts(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {size:,}" for name, size in sizes.items()) or "none"


def _table(found: "Inspection") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("", "operator", "inputs", "output", "weights", "multiply-adds", "XNNPACK"):
        number = column in ("", "weights", "multiply-adds")
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for operator, cost in zip(found.operators, found.costs, strict=True):
        fused = "" if operator.activation == "NONE" else f" + {operator.activation}"
        types = dict.fromkeys(tensor.dtype + "ᶜ" * (len(tensor.scales) > 1) for tensor in operator.inputs)
        made = operator.outputs[0] if operator.outputs else None
        table.add_row(
            str(operator.index),
            operator.name + fused,
            " ".join(types),
            f"{made.dtype} {list(made.shape)}" if made else "",
            f"{cost.weight_bytes:,}" if cost.weight_bytes else "",
            "?" if cost.multiply_adds is None else f"{cost.multiply_adds:,}" if cost.multiply_adds else "",
            "yes" if cost.delegated else "no",
        )
    table.caption = "ᶜ one scale a channel" if any("ᶜ" in str(cell) for cell in table.columns[2].cells) else None
    return table
