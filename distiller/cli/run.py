"""`distiller run`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distiller.cli.console import show_report, show_task
from distiller.cli.options import Change, DataDir, Force, Out, Processes, Ray, Resume, check_folder
from distiller.utils.terminal import print

if TYPE_CHECKING:
    from distiller.data import Dataset
    from distiller.recipes.schema import RunRecipe

EPILOG = """[bold]Examples[/bold]

distiller run cifar100_to_cifar10 --data-dir ~/tensorflow_datasets --out runs/cifar

distiller run cifar100_to_cifar10 --set labels.fraction=0.2 --set "seeds=[0, 1, 2]" --out runs/few-labels

distiller run cifar100_to_cifar10 --set "seeds=[0, 1, 2]" --processes 2 --out runs/seeds

distiller run my_recipe.yaml --out /shared/runs/mine --ray 10.0.0.1:6379 [dim]# on the machines of a cluster[/dim]

distiller run my_recipe.yaml --out /shared/runs/mine --hosts 10.0.0.1:7000 --host-index 0 --host-count 2

distiller run my_recipe.yaml --out runs/mine --resume

distiller run my_recipe.yaml --out runs/mine --resume --set "seeds=[0, 1, 2, 3, 4]" [dim]# two seeds more[/dim]
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("run", epilog=EPILOG)(run)


def run(
    recipe: Annotated[str, typer.Argument(help="Name of a packaged recipe or path of a YAML file.")],
    out: Out = Path("runs/latest"),
    data_dir: DataDir = None,
    change: Change = None,
    processes: Processes = 1,
    ray: Ray = None,
    hosts: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Share each training among several hosts, which all call this command, on JAX: a port of the first of "
            "them, or slurm. It ends with the trained students; --resume without --hosts goes on to files and report.",
            show_default=False,
        ),
    ] = None,
    host_index: Annotated[
        int | None,
        typer.Option(min=0, help="Which of them this is, from 0; SLURM_PROCID by default.", show_default=False),
    ] = None,
    host_count: Annotated[
        int | None,
        typer.Option(min=1, help="How many there are, one a GPU; SLURM_NTASKS by default.", show_default=False),
    ] = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """The whole way of a recipe: teacher, bridge, students, TFLite files, their accuracy and latency, report."""
    if hosts is not None:  # before Keras is loaded, which chooses its backend then
        os.environ.setdefault("KERAS_BACKEND", "jax")
    from distiller import recipes
    from distiller.errors import InputError
    from distiller.utils.backend import load_backend

    check_folder(resume, force)
    if hosts is None and (host_index, host_count) != (None, None):
        raise InputError("Expected --hosts with --host-index and --host-count. Received: no --hosts")
    if hosts is not None and (processes > 1 or ray is not None):
        raise InputError("Expected --hosts without --processes and --ray: hosts share one training after another")
    asked = recipes.read_run(recipe, change or [])
    source = recipes.file(recipe)
    if hosts is None:
        execute(asked, out, data_dir, resume=resume, force=force, source=source, processes=processes, ray=ray)
        return
    load_backend()
    from distiller.runs import pipeline
    from distiller.runs.folder import RunFolder
    from distiller.runs.hosts import Hosts

    several = Hosts.named(hosts, host_index, host_count)
    if several.is_first:
        RunFolder.check(out, resume=resume, force=force, source=source)
    pipeline.train_on_hosts(asked, out, several, data_dir=data_dir, resume=resume, force=force)
    if several.is_first:
        print(
            f"Trained: {out}. For its files, tests and report, on one machine: the same without --hosts, with --resume"
        )


def execute(
    recipe: "RunRecipe",
    out: Path,
    data_dir: Path | None,
    *,
    resume: bool,
    force: bool,
    source: Path | None = None,
    processes: int = 1,
    ray: str | None = None,
    bridge: str = "Give the recipe a bridge, such as bridge.name=subset",
    dataset: "Dataset | None" = None,
) -> None:
    """Run a recipe and print its table and verdict.

    `source` is the file that it was read from, `bridge` says how a command names one, and `dataset` are its images
    where they have been read already.
    """
    from distiller.errors import NoBridgeError
    from distiller.runs.folder import RunFolder
    from distiller.utils.backend import load_backend

    RunFolder.check(out, resume=resume, force=force, source=source)
    load_backend()
    from distiller import report
    from distiller.runs import pipeline

    try:
        pipeline.run(
            recipe, out, data_dir=data_dir, resume=resume, force=force, processes=processes, ray=ray, dataset=dataset
        )
    except NoBridgeError as error:
        raise NoBridgeError(error.teacher, error.student, bridge) from error
    if recipe.task != "classification":
        show_task(out)
        return
    show_report(report.read(out), out / "report.html")
