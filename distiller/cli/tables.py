"""`distiller models`, `distiller objectives`, `distiller recipes`: what there is."""

from typing import TYPE_CHECKING, Annotated

import typer

from distiller.cli.console import show
from distiller.utils.terminal import print

if TYPE_CHECKING:
    from rich.table import Table

_EXAMPLES = """[bold]Examples[/bold]

distiller recipes

distiller recipes cifar100_to_cifar10 > mine.yaml
"""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("models")(models)
    app.command("objectives")(objectives)
    app.command("recipes", epilog=_EXAMPLES)(recipes)


def models(
    classes: Annotated[int, typer.Option(min=2, help="Classes that the counts are for.")] = 10,
    size: Annotated[int, typer.Option(min=8, help="Height and width of the images that the counts are for.")] = 32,
) -> None:
    """The networks of the zoo with their parameters and multiply-adds, and the trained weights in the package."""
    from distiller.utils.backend import load_backend

    load_backend()
    from distiller import models as zoo

    table = _table("name", "parameters", "multiply-adds", "for")
    for name, entry in zoo.ZOO.items():
        network = zoo.build(name, classes, (size, size, 3))
        table.add_row(name, f"{zoo.parameters(network):,}", f"{zoo.multiply_adds(network) or 0:,}", entry.summary)
    _show(table)
    trained = _table("trained weights", "network", "data", "test accuracy", "bytes")
    for name in zoo.packaged():
        card = zoo.card(name)
        seen = f"{card['data']} after {card['pretrained']['data']}" if "pretrained" in card else card["data"]
        trained.add_row(name, card["model"]["name"], seen, f"{card['test_accuracy']:.2%}", f"{card['bytes']:,}")
    _show(trained)


def objectives() -> None:
    """Objectives: the methods of distillation, with their papers' acronyms and their defaults."""
    from distiller.utils.backend import load_backend

    load_backend()
    from distiller.objectives import ALIASES, OBJECTIVES, get

    table = _table("name", "acronym", "compares", "defaults", "source")
    acronyms = {name: acronym for acronym, name in ALIASES.items()}
    for name, kind in OBJECTIVES.items():
        hidden = {"name", "trainable", "dtype", "teacher_layer", "student_layer"}
        defaults = {key: value for key, value in get(name).get_config().items() if key not in hidden}
        shown = ", ".join(f"{key}={_short(value)}" for key, value in defaults.items())
        table.add_row(name, acronyms.get(name, ""), kind.compares, shown, kind.source)
    _show(table)


def _short(value: object) -> object:
    """An argument that is itself an object, by the name of its class."""
    return value["class_name"] if isinstance(value, dict) and "class_name" in value else value


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this one, to begin a recipe of your own with.", show_default=False)
    ] = None,
) -> None:
    """The recipes in the package, for `distiller run` and `distiller train`, or the text of one."""
    from distiller import recipes as packaged

    if name is not None:
        print(packaged.text(name), end="")
        return
    table = _table("name", "command", "what it does")
    for name in packaged.names():
        recipe = packaged.read(name)
        table.add_row(name, f"distiller {recipe.kind} {name}", recipe.summary)
    _show(table)


def _table(*columns: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        number = column in ("parameters", "multiply-adds", "bytes")
        # A name is what one types: it stays whole.
        table.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number or not place)
    return table


def _show(table: "Table") -> None:
    show(table)
    print()
