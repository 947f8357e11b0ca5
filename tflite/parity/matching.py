"""Matching of the file's tensors with layers."""

from collections.abc import Sequence

import numpy as np

from tflite.conversion.names import layers_of
from tflite.parity.differences import decibels
from tflite.parity.file_side import Step
from tflite.parity.keras_side import Call

# Decibels: above it, two tensors are the same but for rounding.
_SAME = 10.0


def match(steps: Sequence[Step], values: Sequence[np.ndarray], calls: Sequence[Call]) -> dict[int, int]:
    """Place of a step → place of the call that computes the same in Keras.

    The name of a tensor tells its layers where `tflite.convert` wrote it, and often where others did. Of several steps
    of a layer the last is what it computes, and the last step of all computes what the last call does. What comes
    after a layer and has no operator of its own (a folded normalisation, a fused activation, a rounding) is part of
    the tensor: of those calls the one whose numbers are nearest counts, or, where none is near, the last. A tensor
    whose name tells nothing belongs to the call whose numbers are nearest; where none is near, to the one that reads
    the same.

    Args:
        steps: of the file.
        values: what each computes for some images, as real numbers.
        calls: of the model, with what they compute for the same images.
    """
    named, parts = _named(steps, values, calls)
    # Of several candidates none is known to be this step: it may be part of another.
    taken = {places[0] for places in named.values() if len(places) == 1}
    readers = _readers(calls)
    found: dict[int, int] = {}
    for place in named:
        chains = [_chain(start, calls, readers, taken) for start in named[place]]
        fitting = [call for chain in chains for call in chain if _fits(values[place], calls[call])]
        if not fitting:
            continue
        best = max(fitting, key=lambda call: decibels(calls[call].output, _shaped(values[place], calls[call])))
        near = decibels(calls[best].output, _shaped(values[place], calls[best])) > _SAME
        found[place] = best if near else fitting[-1]
    left = [place for place in range(len(steps)) if place not in found and place not in parts]
    _match_nearest(left, values, calls, found, taken)
    for place in left:
        if place not in found:
            _match_following(place, steps[place], values[place], calls, found, taken)
    return found


def _named(
    steps: Sequence[Step], values: Sequence[np.ndarray], calls: Sequence[Call]
) -> tuple[dict[int, list[int]], set[int]]:
    """Place of a step → the calls of the last of the layers that its tensor's name tells of; and parts of layers."""
    by_path: dict[str, list[int]] = {}
    for call in calls:
        by_path.setdefault(call.path, []).append(call.place)
    paths = [layers_of(step.tensor.name, by_path) for step in steps]
    steps_of: dict[str, list[int]] = {}
    parts: set[int] = set()
    for place, own in enumerate(paths):
        last = max(own, key=lambda path: by_path[path][-1], default=None)
        if last is None:
            continue
        if len(by_path[last]) == 1 and any(last in later for later in paths[place + 1 :]):
            parts.add(place)
        else:
            steps_of.setdefault(last, []).append(place)
    found = {}
    for path, places in steps_of.items():
        each, rest = divmod(len(places), len(by_path[path]))
        if rest:
            # Where one call has more steps than another, a step that another of the layer reads is a part of it.
            places = [place for place in places if not any(place in steps[other].sources for other in places)]
            each, rest = divmod(len(places), len(by_path[path]))
        if rest or not each:
            found.update(dict.fromkeys(places, by_path[path]))
        else:
            # A layer that is called several times has as many steps each time.
            found.update((places[(n + 1) * each - 1], [call]) for n, call in enumerate(by_path[path]))
    if steps and calls and len(steps) - 1 not in found:
        found[len(steps) - 1] = [calls[-1].place]
        # What is named after the same layer comes before its activation, which has an operator of its own.
        for place in [place for place in found if found[place] == found[len(steps) - 1] and place < len(steps) - 1]:
            if not _near(values[place], calls[-1]):
                del found[place]
                parts.add(place)
    return found, parts | {place for places in steps_of.values() for place in places} - set(found)


def _readers(calls: Sequence[Call]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {call.place: [] for call in calls}
    for call in calls:
        for source in call.sources:
            found[source].append(call.place)
    return found


def _chain(start: int, calls: Sequence[Call], readers: dict[int, list[int]], taken: set[int]) -> list[int]:
    """A call and those after it that no other step computes."""
    found = [start]
    while len(after := readers[found[-1]]) == 1:
        following = calls[after[0]]
        if following.place in taken or not following.vanishes or len(following.sources) != 1:
            break
        found.append(following.place)
    return found


def _match_nearest(
    left: Sequence[int],
    values: Sequence[np.ndarray],
    calls: Sequence[Call],
    found: dict[int, int],
    taken: set[int],
) -> None:
    """Pair steps with calls that have the same numbers but for rounding, the nearest first."""
    used = set(found.values()) | taken
    pairs = [
        (decibels(call.output, _shaped(values[place], call)), place, call.place)
        for place in left
        for call in calls
        if call.place not in used and _fits(values[place], call)
    ]
    for ratio, place, call in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:])):
        if ratio > _SAME and place not in found and call not in used:
            found[place] = call
            used.add(call)


def _match_following(
    place: int, step: Step, value: np.ndarray, calls: Sequence[Call], found: dict[int, int], taken: set[int]
) -> None:
    """Pair a step with the call that reads what it reads; of several with the one that correlates with it most."""
    if not all(source in found for source in step.sources):
        return
    reads = {found[source] for source in step.sources}
    used = set(found.values()) | taken
    readers = _readers(calls)
    alike = {}
    for call in calls:
        if call.place in used or set(call.sources) != reads:
            continue
        chain = [after for after in _chain(call.place, calls, readers, used) if _fits(value, calls[after])]
        if chain:
            alike[chain[-1]] = _correlation(calls[chain[-1]].output, value)
    if alike:
        found[place] = max(alike, key=alike.__getitem__)


def _fits(value: np.ndarray, call: Call) -> bool:
    """Return whether both have the same numbers of each image."""
    return value.size == call.output.size and len(value) == len(call.output)


def _near(value: np.ndarray, call: Call) -> bool:
    """Return whether a call has the same numbers but for rounding."""
    return _fits(value, call) and decibels(call.output, _shaped(value, call)) > _SAME


def _shaped(value: np.ndarray, call: Call) -> np.ndarray:
    return value.reshape(call.output.shape)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return 0.0
    one, other = (array.ravel() - array.mean(dtype="float64") for array in (one, other))
    norm = np.linalg.norm(one) * np.linalg.norm(other)
    return float(np.dot(one, other) / norm) if norm else 0.0
