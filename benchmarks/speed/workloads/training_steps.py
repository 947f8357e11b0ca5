"""Training steps as workloads: plain training, the teacher alone, and the Distiller with every objective."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

import tflite
from benchmarks.speed.workloads.names import AWARE, FROZEN, FROZEN_HINT, STORED, STUDENT, TEACHER
from benchmarks.speed.workloads.setting import SAMPLES, Setting
from distiller import Distiller, objectives, teachers
from distiller.errors import InputError
from distiller.models import fuse
from distiller.utils.suggestions import unknown

# The layer in the middle of both networks, whose features `hint` and the peers compare.
MIDDLE = "stage2"
Places = str | list[str] | None


@dataclass(frozen=True)
class Workload:
    """Something that is timed.

    `kind` is "reference", "objective" or "peer"; `places` the layers of both networks that are compared, None for the
    logits or nothing; `make` builds its step for a setting, a function without arguments that returns arrays.
    """

    name: str
    kind: str
    places: Places
    make: Callable[[Setting], Callable[[], Any]]


def references() -> list[Workload]:
    """The student's own training on hard labels, and the teacher's forward pass in inference mode."""
    return [
        Workload(STUDENT, "reference", None, lambda setting: setting.training(setting.new_student())),
        Workload(TEACHER, "reference", None, lambda setting: setting.forward(setting.shared_teacher)),
    ]


_USUAL: dict[str, Places] = {"logits": None, "features": MIDDLE, "relations": "features"}
# Objectives that compare something else than is usual of their kind, as in their papers: several layers, deep maps,
# maps before their activation.
_OWN: dict[str, Places] = {
    "attention": "stage3",
    "activation_boundaries": "stage3_add",
    "factor_transfer": "stage3",
    "flow": ["stage1", "stage2"],
    "overhaul": "stage3_add",
    "knowledge_review": ["stage1", "stage2", "stage3"],
    "projector": "features",
    "singular_vectors": ["stage2", "stage3"],
    "similarity_preserving": "stage3",
}
# Objectives in other forms than their default.
_FORMS: dict[str, dict[str, Any]] = {
    "contrastive, queue": {"name": "contrastive", "negatives": "queue"},
    "contrastive, memory": {"name": "contrastive", "negatives": "memory", "samples": SAMPLES},
}


def distillers(wanted: Sequence[str] | None = None) -> list[Workload]:
    """The Distiller with each of the objectives `wanted`, all by default, in every form that changes its cost.

    Raises:
        InputError: no such objective; the message has the nearest.
    """
    found = []
    for name in wanted or objectives.OBJECTIVES:
        if name not in objectives.OBJECTIVES:
            raise InputError(unknown("objective", name, objectives.OBJECTIVES))
        places = _OWN.get(name, _USUAL[objectives.OBJECTIVES[name].compares])
        forms = {name: {"name": name}} | {form: asked for form, asked in _FORMS.items() if asked["name"] == name}
        found += [Workload(form, "objective", places, _distilling(asked, places)) for form, asked in forms.items()]
    return found


def stored() -> Workload:
    """The Distiller on teacher outputs from a cache."""
    return Workload(STORED, "objective", None, _distilling({"name": "hinton"}, None, stored=True))


def frozen() -> list[Workload]:
    """The Distiller on logits and on one pair of features, its teacher folded and with maps in bfloat16."""
    return [
        Workload(FROZEN, "objective", None, _distilling({"name": "hinton"}, None, frozen=True)),
        Workload(FROZEN_HINT, "objective", MIDDLE, _distilling({"name": "hint"}, MIDDLE, frozen=True)),
    ]


def aware() -> Workload:
    """The student's own training on hard labels, quantization-aware."""

    def make(setting: Setting) -> Callable[[], Any]:
        return setting.training(fuse(tflite.quantize_aware(setting.new_student(), input_range=(0.0, 255.0))))

    return Workload(AWARE, "objective", None, make)


def _distilling(
    form: dict[str, Any], places: Places, *, stored: bool = False, frozen: bool = False
) -> Callable[[Setting], Callable[[], Any]]:
    def make(setting: Setting) -> Callable[[], Any]:
        teacher = teachers.frozen(setting.shared_teacher) if frozen else setting.shared_teacher
        networks = {"teacher": teacher, "student": setting.new_student()}
        compared = {f"{role}_layer": layers_at(network, places) for role, network in networks.items()}
        objective = objectives.get({**form, **compared})
        distiller = Distiller(**networks, objectives={"it": objective})
        return setting.training(distiller, ids=objective.needs_ids, stored=stored)

    return make


def layers_at(network: keras.Model, places: Places) -> Places:
    """The layers of `network` at `places`; where a stage has no activation, what comes before it is the stage."""
    if isinstance(places, str) and places.endswith("_add") and places not in {layer.name for layer in network.layers}:
        return places.removesuffix("_add")
    return places
