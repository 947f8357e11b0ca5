"""Experiments: a recipe and the variants of it that are compared, one YAML file each in this folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from distiller import recipes
from distiller.errors import InputError
from distiller.utils import yaml_text
from distiller.utils.suggestions import unknown

FOLDER = Path(__file__).parent


class Experiment(BaseModel):
    """A recipe, its variants (name → changes as `distiller run --set` takes them), and the changes of the tiny mode.

    The recipe is one of those beside the experiments, in `experiments/recipes`, or a packaged one. `changes` are
    those of every variant; `arms` names the arms of a variant that has not all of the recipe's; `table` is the form
    of its table: a pair of students beside their teacher, arms beside hard labels, a grid of temperatures and weights,
    or arms beside their `published` accuracies in percent, that of "teacher" among them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    summary: str
    recipe: str
    changes: list[str] = []
    variants: dict[str, list[str]]
    arms: dict[str, list[str]] = {}
    table: Literal["pair", "arms", "grid", "published"] = "pair"
    published: dict[str, float] = {}
    tiny: list[str]

    def recipe_of(self, variant: str, *, tiny: bool, seeds: Sequence[int] = ()) -> recipes.RunRecipe:
        """The checked recipe of a variant, with its own seeds where none are given."""
        if variant not in self.variants:
            raise InputError(unknown("variant", variant, self.variants))
        changes = [*self.changes, *self.variants[variant], *(self.tiny if tiny else [])]
        changes += [f"seeds={list(seeds)}"] if seeds else []
        own = FOLDER / "recipes" / f"{self.recipe}.yaml"
        recipe = recipes.read_run(own if own.is_file() else self.recipe, changes)
        kept = {arm: recipe.arms[arm] for arm in self.arms.get(variant, recipe.arms)}
        return recipe.model_copy(update={"arms": kept})


def names() -> list[str]:
    """The experiments there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name: str) -> Experiment:
    """An experiment by name; InputError if there is none, with the nearest names."""
    if name not in names():
        raise InputError(unknown("experiment", name, names()))
    try:
        return Experiment.model_validate(yaml_text.load((FOLDER / f"{name}.yaml").read_text()))
    except ValidationError as error:
        raise InputError(f"Experiment {name!r}: {error}") from None
