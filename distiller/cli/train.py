"""`distiller train`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.options import Change, DataDir, Force, Out, Resume, check_folder
from distiller.utils.terminal import print

EPILOG = """[bold]Examples[/bold]

distiller train teacher_cifar100 --data-dir ~/tensorflow_datasets --out runs/teacher

distiller train teacher_cifar100 --set model.name=wrn_40_2 --set training.epochs=200 --out runs/wrn
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("train", epilog=EPILOG)(train)


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a packaged recipe or path of a YAML file.")],
    out: Out = Path("runs/teacher"),
    data_dir: DataDir = None,
    change: Change = None,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Train a teacher on hard labels; writes teacher.keras and its log."""
    from distiller import recipes

    check_folder(resume, force)
    asked = recipes.read_train(recipe, change or [])
    from distiller.runs.folder import RunFolder
    from distiller.utils.backend import load_backend

    RunFolder.check(out, resume=resume, force=force, source=recipes.file(recipe))
    load_backend()
    from distiller.runs import pipeline, task_networks

    result = pipeline.train(asked, out, data_dir=data_dir, resume=resume, force=force)
    epochs = len(result["epochs"])
    after = f"after {epochs} epoch{'s' * (epochs != 1)}"
    if "test" in result:
        print(f"Test {task_networks.told(result['test'])} {after}: {out / 'teacher.keras'}")
        return
    print(f"Test accuracy {result['test_accuracy']:.2%} {after}: {out / 'teacher.keras'}")
