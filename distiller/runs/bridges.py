"""The bridges of a recipe: made, fitted once for all students that may share them, and loaded."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller import bridges, teachers
from distiller.data import Split
from distiller.data.class_names import differ, first_difference
from distiller.errors import InputError
from distiller.networks.saving import save_network
from distiller.recipes import RunRecipe
from distiller.recipes import bridges as sections


class RecipeBridges:
    """The bridges of a recipe, by their sections.

    Args:
        asked: sections of the bridges that the recipe names, as `asked_bridges` lists them.
        classes: the student's.
        teacher_classes: returns the teacher's, for bridges that find classes by name.
        frozen: teachers are used frozen, as `teachers.frozen` makes them.
        checked_on: images (samples, height, width, channels) on which a frozen teacher is held against the teacher.
    """

    def __init__(
        self,
        asked: Sequence[sections.Bridge | None],
        classes: Sequence[str],
        teacher_classes: Callable[[], Sequence[str] | None],
        *,
        frozen: bool = False,
        checked_on: np.ndarray | None = None,
    ):
        self.classes, self.frozen = list(classes), frozen
        self._asked = [part for section in asked for part in _parts(section)]
        self._teacher_classes, self._checked_on = teacher_classes, checked_on
        self._inference_networks: dict[Path, keras.Model] = {}

    @cached_property
    def to_fit(self) -> dict[str, sections.Bridge]:
        """Stage → section of every bridge that learns from labelled images, each once."""
        fitted = {bridge_key(section): section for section in self._asked if isinstance(section, FITTED)}
        named: dict[str, sections.Bridge] = {}
        for section in fitted.values():
            others = sum(name.split("-")[1] == section.name for name in named)
            named[f"bridge-{section.name}" + (f"-{others + 1}" if others else "")] = section
        return named

    def make(self, section: sections.Bridge | None, seed: int = 0) -> bridges.Bridge:
        """The bridge of a section, not fitted."""
        match section:
            case None | sections.NoBridge():
                return bridges.Bridge()
            case sections.SubsetBridge():
                return bridges.Subset(self.classes, names=self._named(section))
            case sections.ClassMapBridge():
                return self._class_map(section)
            case sections.AuxiliaryHeadBridge():
                return bridges.AuxiliaryHead()
            case sections.ProbeBridge():
                return bridges.Probe(section.strength, hidden=section.hidden, seed=seed)
            case sections.TransportBridge():
                return bridges.Transport(section.smoothing, temperature=section.temperature, steps=section.steps)
            case sections.FineTuneBridge():
                return bridges.FineTune()
            case _:
                raise TypeError(f"Expected a bridge of one network. Received: {section.name!r}")

    def alike(self) -> bool:
        """Say whether the teacher's classes are the student's, by number and order, as far as their names are known."""
        names = self._teacher_classes()
        return names is None or not differ(names, self.classes)

    def check_alike(self, name: str) -> None:
        """Raise InputError where the logits of the objective `name` have no bridge and `alike` is not so."""
        if self.alike():
            return
        theirs = list(self._teacher_classes() or ())
        where = first_difference(theirs, self.classes)
        if set(theirs) == set(self.classes):
            raise InputError(
                f"The teacher has the student's classes in another order: {where}. For the objective {name!r} name "
                "them in the teacher's order (data.classes or --classes), or give a bridge: subset"
            )
        raise InputError(
            f"The teacher has other classes than the student: {where}. Give the objective {name!r} a bridge: class_map "
            "where other names mean the same, or fine_tune, probe, transport or auxiliary_head"
        )

    def fit(
        self,
        section: sections.Bridge,
        teacher: keras.Model,
        labelled: Split,
        held_out: Split,
        seed: int,
        train: Callable[[keras.Model, sections.FineTuneBridge], Mapping[str, Any]],
        stage: Path,
    ) -> dict[str, Any]:
        """Fit the bridge of a section and keep its network in `stage`; returns its accuracy.

        Args:
            section: of `to_fit`.
            teacher: in its own classes.
            labelled, held_out: images with labels.
            seed: of whatever is random.
            train: trains the network of a fine-tuned copy, and returns its metrics.
            stage: folder.
        """
        bridge = self.make(section, seed)
        result: dict[str, Any] = {"labelled": len(labelled)}
        if isinstance(section, sections.FineTuneBridge):
            assert isinstance(bridge, bridges.FineTune)
            network = bridge.prepare(teacher, len(self.classes), precision=section.training.precision)
            result |= train(network, section)
        else:
            assert isinstance(bridge, bridges.Probe | bridges.Transport)
            pair, held = ((split.images, split.labels) for split in (labelled, held_out))
            bridge.fit(teacher, pair, held, len(self.classes))
            result["validation_accuracy"] = bridge.accuracy
        assert isinstance(bridge, bridges.Fitted)
        assert bridge.network is not None
        save_network(bridge.network, stage / "network.keras")
        return result

    def for_inference(self, network: keras.Model, *, check: bool = True) -> keras.Model:
        """The teacher that students learn from: frozen where the recipe asks for it and its outputs stay close."""
        if not self.frozen:
            return network
        return teachers.frozen(network, images=self._checked_on if check else None)

    def of(
        self, wanted: Mapping[str, sections.Bridge | None], stage: Callable[[str], Path]
    ) -> dict[str, bridges.Bridge]:
        """Bridges by objective, fitted ones read from their stage; equal sections are one bridge.

        Args:
            wanted: section by objective.
            stage: name → folder of the stage in which it was fitted.
        """
        names = {bridge_key(section): name for name, section in self.to_fit.items()}
        made: dict[str, bridges.Bridge] = {}

        def one(section: sections.Bridge | None) -> bridges.Bridge:
            key = bridge_key(section)
            if key not in made:
                if isinstance(section, sections.EnsembleBridge):
                    made[key] = Pooled([one(member) for member in section.members], section.confidence)
                else:
                    made[key] = bridge = self.make(section)
                    if isinstance(bridge, bridges.Fitted):
                        bridge.network = self._fitted(stage(names[key]) / "network.keras")
            return made[key]

        return {objective: one(section) for objective, section in wanted.items()}

    def _fitted(self, path: Path) -> keras.Model:
        """The network of a fitted bridge, for inference; a frozen one is made and checked once for all students."""
        if not self.frozen:
            return teachers.load(path)
        if path not in self._inference_networks:
            self._inference_networks[path] = self.for_inference(teachers.load(path))
        return self._inference_networks[path]

    def rehearsed(
        self, wanted: Mapping[str, sections.Bridge | None], teacher: keras.Model
    ) -> dict[str, bridges.Bridge]:
        """As `of`, with networks that are not fitted in place of fitted ones: to see whether everything fits."""
        made = {bridge_key(section): self._stand_in(section, teacher) for section in wanted.values()}
        return {objective: made[bridge_key(section)] for objective, section in wanted.items()}

    def _stand_in(self, section: sections.Bridge | None, teacher: keras.Model) -> bridges.Bridge:
        if isinstance(section, sections.EnsembleBridge):
            return Pooled([self._stand_in(member, teacher) for member in section.members], section.confidence)
        if not isinstance(section, FITTED):
            return self.make(section)
        if isinstance(section, sections.TransportBridge):
            head = keras.layers.Dense(len(self.classes), name="transport")(teacher.outputs[0])
            return bridges.saved_bridge.SavedBridge(keras.Model(teacher.inputs[0], head))
        copy = bridges.FineTune()
        copy.prepare(teacher, len(self.classes))
        return copy

    def _named(self, section: sections.Bridge) -> Sequence[str]:
        names = self._teacher_classes()
        if names is None:
            raise InputError(
                f"The bridge {section.name!r} finds classes by name, and a teacher's .keras file has no names"
            )
        return names

    def _class_map(self, section: sections.ClassMapBridge) -> bridges.ClassMap:
        options: dict[str, Any] = {"rest": section.rest, "allow_missing": section.allow_missing}
        if section.known is not None:
            theirs = self._teacher_classes()
            if theirs is not None:
                options["names"] = theirs
            return bridges.ClassMap.named(section.known, classes=self.classes, **options)
        options |= {"names": self._named(section), "classes": self.classes}
        if section.file is not None:
            return bridges.ClassMap.read(section.file, **options)
        assert section.groups is not None
        return bridges.ClassMap(section.groups, **options)


def asked_bridges(recipe: RunRecipe) -> list[sections.Bridge | None]:
    """Sections of the bridges that a recipe names: its own, those of arms' objectives, and those of pseudo-labels."""
    asked = [section for arm in recipe.arms for section in recipe.bridges_of(arm).values()]
    asked += [recipe.bridge_of(name) for name, arm in recipe.arms.items() if arm.pseudo_labels]
    return [recipe.bridge, *asked]


class Pooled(bridges.Bridge):
    """One teacher behind several bridges, and the mean of their outputs: `teachers.ensemble`."""

    def __init__(self, members: Sequence[bridges.Bridge], confidence: str | None):
        self.members, self.confidence = members, confidence

    def teacher(self, teacher: keras.Model, classes: int) -> keras.Model:
        """The ensemble in the student's classes."""
        networks = [member.teacher(teacher, classes) for member in self.members]
        return teachers.ensemble(networks, classes, confidence=self.confidence)


FITTED = (sections.FineTuneBridge, sections.ProbeBridge, sections.TransportBridge)


def is_bridge(section: sections.Bridge | None) -> bool:
    """Say whether a section leads from the teacher's classes to the student's."""
    return section is not None and not isinstance(section, sections.NoBridge)


def learns_from_labels(section: sections.Bridge | None) -> bool:
    """Say whether the bridge of a section, or a member of its ensemble, is fitted to labelled images."""
    return any(isinstance(part, FITTED) for part in _parts(section))


def _parts(section: sections.Bridge | None) -> list[sections.Bridge | None]:
    """A section, or the members of an ensemble."""
    return list(section.members) if isinstance(section, sections.EnsembleBridge) else [section]


def bridge_key(section: sections.Bridge | None) -> str:
    """The key of a section: equal sections are one bridge."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True) if section else ""
