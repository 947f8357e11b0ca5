"""Several teachers as one."""

from collections.abc import Sequence
from typing import Any

import keras

from distiller.errors import InputError
from distiller.networks.feature_extraction import entry
from distiller.teachers.ensembles.member import Member
from distiller.teachers.ensembles.pool import Pool
from distiller.teachers.ensembles.preprocessing import prepared, resized


def ensemble(
    members: Sequence[Member | keras.Model],
    classes: int,
    *,
    weights: Sequence[float] | None = None,
    mean: str = "arithmetic",
    confidence: str | None = None,
    sharpness: float = 1.0,
    input_shape: tuple[int, ...] | None = None,
    name: str = "ensemble",
) -> keras.Model:
    """One network whose answer is the mean of the members': see `pool.pooled` and, for `confidence`, `pool.confident`.

    log Σ w_m · softmax(z_m), for logits z_m (batch, classes) of member m behind its bridge: log-probabilities, which
    are logits too. An objective's temperature softens the mean; the mean of softened answers is another one. It is a
    plain functional network: a `teacher` of a `Distiller`, of a `Cache` and of `diagnose`, saved as any other, and
    member m is its layer `member{m}`, counted from 1. Members that share their inputs, as a probe and the body it sits
    on, run once, as the layer of the first. `learn_weights` fits the weights.

    Args:
        members: teachers, or `Member`s where one needs a bridge or a preprocessing. They are not changed.
        classes: the student's number of classes.
        weights: of the members, at least 0, scaled to a sum of 1; equal by default.
        mean: of probabilities ("arithmetic") or of logits ("geometric").
        confidence: weigh by sample too, by how sure a member is: "entropy", "maximum", or None.
        sharpness: how much that counts; see `pool.confident`.
        input_shape: of a sample of the student's, (h, w, c); by default that of the members, where all have the same.
        name: of the network.

    Raises:
        InputError: no members; one that is not built, returns no logits, or is not in the student's classes behind its
            bridge; members that share layers but not their inputs; images that resizing alone does not make fit;
            weights that are not one a member, or negative.

    >>> from distiller.teachers import Member, ensemble
    >>> from distiller import bridges, models
    >>> fine, coarse = models.build("resnet8", 6, (16, 16, 1)), models.build("resnet8", 3, (8, 8, 1))
    >>> subset = bridges.Subset([0, 2, 4])
    >>> teacher = ensemble([Member(fine, bridge=subset), coarse], 3, weights=[2, 1], input_shape=(8, 8, 1))
    >>> teacher.output_shape, [layer.name for layer in teacher.layers]
    ((None, 3), ['...', 'resizing1', 'member1', 'member2', 'pool'])
    """
    given = [member if isinstance(member, Member) else Member(member) for member in members]
    if not given:
        raise InputError("Expected one or more teachers. Received: none")
    if classes < 2:
        raise InputError(f"Invalid value for `classes`. Expected at least 2. Received: classes={classes}")
    networks = [member.network(number, classes) for number, member in enumerate(given, start=1)]
    inputs = keras.Input(_common_shape(networks) if input_shape is None else tuple(input_shape))
    pool = Pool(mean, confidence=confidence, sharpness=sharpness, name="pool")
    output = pool(_answers(inputs, given, networks))
    if weights is not None:
        pool.assign(weights)
    return keras.Model(inputs, output, name=name)


def _common_shape(networks: Sequence[keras.Model]) -> tuple[int, ...]:
    shapes = {tuple(network.inputs[0].shape[1:]) for network in networks}
    if len(shapes) > 1:
        raise InputError(
            f"Expected `input_shape`, that of the student's images, for members of different ones: {sorted(shapes)}. "
            "Received: none"
        )
    return shapes.pop()


def _answers(inputs: keras.KerasTensor, members: Sequence[Member], networks: Sequence[keras.Model]) -> list[Any]:
    """The members' logits, in their order."""
    groups: dict[int, list[int]] = {}
    for place, network in enumerate(networks):
        groups.setdefault(id(network.inputs[0]), []).append(place)
    _check_apart(list(groups.values()), networks)
    views: dict[int, keras.KerasTensor] = {}
    answers: dict[int, keras.KerasTensor] = {}
    for places in groups.values():
        shared = _joined([networks[place] for place in places], name=f"member{places[0] + 1}")
        made: dict[int, list[Any]] = {}
        for within, place in enumerate(places):
            preprocessing = members[place].preprocessing
            key = id(preprocessing)
            if key not in views:
                views[key] = prepared(inputs, preprocessing, place + 1)
            if key not in made:
                found = shared(resized(views[key], networks[place].inputs[0].shape, place + 1))
                made[key] = found if isinstance(found, list) else [found]
            answers[place] = made[key][within]
    return [_cooled(answers[place], member.temperature, place + 1) for place, member in enumerate(members)]


def _cooled(logits: keras.KerasTensor, temperature: float, number: int) -> keras.KerasTensor:
    if temperature == 1:
        return logits
    return keras.layers.Rescaling(1 / temperature, dtype="float32", name=f"temperature{number}")(logits)


def _joined(networks: Sequence[keras.Model], name: str) -> keras.Model:
    """One network of several that share their inputs.

    Nested one by one, what they share would be there twice after saving and loading, and its weights only once.
    """
    outputs = [network.outputs[0] for network in networks]
    try:
        return keras.Model(entry(networks[0]), outputs if len(outputs) > 1 else outputs[0], name=name)
    except ValueError as error:  # names of layers
        raise InputError(
            f"The members that share their inputs with {name} do not fit into one network: {error}"
        ) from error


def _check_apart(groups: Sequence[Sequence[int]], networks: Sequence[keras.Model]) -> None:
    """Raise InputError for variables in several groups: a saved file of such a network could not be loaded."""
    owners: dict[int, Sequence[int]] = {}
    for places in groups:
        for variable in (variable for place in places for variable in networks[place].variables):
            other = owners.setdefault(id(variable), places)
            if other is not places:
                raise InputError(
                    f"Members {other[0] + 1} and {places[0] + 1} share layers and not their inputs. Build them on the "
                    "same inputs, or save one and give what keras.models.load_model makes of it"
                )
