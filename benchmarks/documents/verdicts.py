"""Sentences on the recorded results: the paragraphs of the documents that name numbers or call a winner.

A document marks one with `<!-- verdict: NAME -->` and `<!-- end -->`. Words follow from the numbers: "ahead" and
"behind" stand where the 95 % interval leaves zero out, "not told apart" where it does not.
"""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.documents.comparison import BASELINE, accuracies, gain_with_interval, interval
from benchmarks.results import lines
from distiller.report.intervals import in_points, signed, welch
from distiller.report.measure import Measure
from distiller.report.table import label

WIDTH = 120
SHARES = {
    "all labels": "with all labels",
    "20 % of the labels": "with a fifth",
    "4 % of the labels": "with a twenty-fifth",
}

Lines = list[dict[str, Any]]
Arms = dict[str, Lines]


def paragraph(name: str) -> str:
    """A paragraph by the name of its mark, as wide as the documents are."""
    return textwrap.fill(VERDICTS[name](), WIDTH, break_long_words=False, break_on_hyphens=False)


def arms_of(experiment: str, variant: str) -> Arms:
    """Arm → its recorded lines."""
    return lines.by_arm(lines.read(lines.RESULTS / f"{experiment}.jsonl"), variant)


def best_of(arms: Arms) -> str:
    """The arm with a teacher that is best on the validation split."""
    return max((arm for arm in arms if arm != BASELINE), key=lambda arm: validation(arms[arm]))


def validation(found: Lines) -> float:
    """Mean validation accuracy after the last epoch."""
    return Measure.of([line["last_validation_accuracy"] for line in found]).mean


def mean(found: Lines) -> float:
    """Mean accuracy on the test split."""
    return Measure.of(accuracies(found)).mean


def gap_to_teacher(found: Lines) -> str:
    """Points to the teacher's accuracy; a copy that was fitted again is named as such."""
    again = " to a copy of the teacher that was fitted again" if found[0]["teacher"].get("fitted_again") else ""
    return f"{signed(mean(found) - lines.teacher_accuracy(found))}{again}"


def difference_in_words(difference: float, bounds: tuple[float, float] | None) -> str:
    """Difference in words, as far as its interval supports them.

    >>> [difference_in_words(0.02, bounds) for bounds in ((0.01, 0.03), (-0.01, 0.05), None)]
    ['ahead by 2.00 points', 'not told apart', 'ahead by 2.00 points with one seed']
    """
    if bounds and bounds[0] <= 0 <= bounds[1]:
        return "not told apart"
    side = f"{'ahead' if difference > 0 else 'behind'} by {100 * abs(difference):.2f} points"
    return side if bounds else f"{side} with one seed"


def compare(arm: str, own: Lines, base: Lines) -> str:
    """Name of an arm, and its difference from other lines in words."""
    return f"{label(arm)} {difference_in_words(mean(own) - mean(base), interval(own, base))}"


def settings() -> str:
    """Setting that the trial chose for each arm, of two, and the one that was used."""
    tried = arms_of("bridge_weights", "20 % of the labels")
    used = {arm for line in lines.read(lines.RESULTS / "label_spaces.jsonl") if (arm := line["arm"])}
    pairs: dict[str, list[str]] = {}
    for arm in tried:
        pairs.setdefault(next((one for one in pairs if arm.startswith(f"{one}_")), arm.rpartition("_w")[0] or arm), [])
        pairs[next(one for one in pairs if arm == one or arm.startswith(f"{one}_"))].append(arm)
    chosen = {kind: max(two, key=lambda arm: validation(tried[arm])) for kind, two in pairs.items()}
    kept = [label(kind) for kind, arm in chosen.items() if arm in used]
    others = [kind for kind, arm in chosen.items() if arm not in used]
    said = f"The settings of {join_words(kept)} are those that the validation split chose between two."
    for kind in others:
        images = tried[kind][0]["data"]["validation"] if kind in tried else 0
        gap = validation(tried[chosen[kind]]) - max(validation(tried[a]) for a in pairs[kind] if a != chosen[kind])
        said += (
            f" For {label(kind)} that trial, repeated after the students were trained, chose the other one, "
            f"{label(chosen[kind])}, by {round(gap * images)} of {images:,} validation images; the table has the first."
        )
    return said


def few_labels() -> str:
    """Distillation against hard labels and the teacher, by the number of labels."""
    long = {variant: arms_of("cifar100_to_cifar10", variant) for variant in SHARES}
    short = {variant: arms_of("label_spaces", variant) for variant in SHARES}
    long = {variant: arms for variant, arms in long.items() if arms}
    compared = [(arms["distilled"], arms[BASELINE]) for arms in long.values()]
    chosen = [(arms[best_of(arms)], arms[BASELINE]) for arms in short.values()]
    ahead = all((bounds := interval(*pair)) and bounds[0] > 0 for pair in [*compared, *chosen])
    rising = all(
        gains == sorted(gains)
        for gains in ([mean(own) - mean(base) for own, base in group] for group in (compared, chosen))
    )
    lead = (
        "The distilled student beats the same one on hard labels"
        + (", by more the fewer labels there are" if rising else "")
        if ahead
        else "The distilled student does not beat the same one on hard labels everywhere"
    )
    over = [
        [gain_with_interval(accuracies(own), accuracies(base)) for own, base in group] for group in (compared, chosen)
    ]
    gaps = [[gap_to_teacher(own) for own, _ in group] for group in (compared, chosen)]
    shares = [[SHARES[variant] for variant in group] for group in (long, short)]
    told = [
        [
            join_words([f"{number} {share}" for number, share in zip(numbers, names, strict=True)])
            for numbers in (first, second)
        ]
        for first, second, names in zip(over, gaps, shares, strict=True)
    ]
    return (
        f"{lead}: in points of test accuracy, with the 95 % interval over seeds in brackets, {told[0][0]}; at two "
        f"thirds of the steps, where the validation split chose the bridge, {told[1][0]}. To its teacher it has "
        f"{told[0][1]}; there {told[1][1]}. {larger('README')}"
    )


def larger(where: str = "") -> str:
    """Larger students at sixteen epochs: against hard labels and their teacher."""
    said = []
    for network in ("ResNet-20", "MobileNetV2 0.5"):
        arms = arms_of("larger_students", f"{network}, 16 epochs")
        parts = []
        for arm in (a for a in arms if a != BASELINE):
            bounds = interval(arms[arm], arms[BASELINE])
            verdict = difference_in_words(mean(arms[arm]) - mean(arms[BASELINE]), bounds)
            inside = f" ({in_points(bounds)})" if bounds else ""
            parts.append(f"{label(arm)} {verdict}{inside}, {gap_to_teacher(arms[arm])} to its teacher")
        said.append(f"{network}, {'; '.join(parts if not where else parts[:1])}")
    teacher = " and ".join(
        f"{100 * lines.teacher_accuracy(arms_of('larger_students', f'{network}, 16 epochs')[BASELINE]):.2f}"
        for network in ("ResNet-20", "MobileNetV2 0.5")
    )
    return (
        f"Larger students on all labels at sixteen epochs, against hard labels: {'. '.join(said)} "
        f"(copies of {teacher} %)."
    )


def family_table() -> str:
    """Families at four and sixteen epochs against hard labels."""
    parts = []
    for variant, epochs in (("all labels", "four"), ("all labels, 16 epochs", "sixteen")):
        arms = arms_of("families", variant)
        best = best_of(arms)
        rest = [compare(arm, arms[arm], arms[BASELINE]) for arm in arms if arm not in (BASELINE, best)]
        gain = gain_with_interval(accuracies(arms[best]), accuracies(arms[BASELINE]))
        parts.append(
            f"At {epochs} epochs {label(best)}, best on the validation split, has {gain} points over hard labels "
            f"and {gap_to_teacher(arms[best])} to its teacher. Against hard labels {'; '.join(rest)}."
        )
    return " ".join(parts)


def bridges() -> str:
    """Bridges against hard labels at every number of labels."""
    parts = []
    for variant, share in SHARES.items():
        arms = arms_of("label_spaces", variant)
        each = [compare(arm, arms[arm], arms[BASELINE]) for arm in arms if arm != BASELINE]
        parts.append(f"{share[0].upper()}{share[1:]}: {'; '.join(each)}.")
    return f"Against hard labels, as far as the 95 % interval over seeds tells: {' '.join(parts)}"


def smoothing() -> str:
    """Students of a smoothed teacher against those of a plain one, at both temperatures."""
    arms = arms_of("label_smoothing", "20 % of the labels")
    parts = []
    for temperature in (4, 1):
        smoothed, plain = arms[f"smoothed_t{temperature}"], arms[f"plain_t{temperature}"]
        bounds = interval(smoothed, plain)
        verdict = difference_in_words(mean(smoothed) - mean(plain), bounds)
        parts.append(f"at temperature {temperature} {verdict}{f' ({in_points(bounds)})' if bounds else ''}")
    diagnoses = lines.read(lines.RESULTS / "label_smoothing_diagnoses.jsonl")
    teachers = {line["arms"][0]: line["diagnosis"]["accuracy"] for line in diagnoses}
    gap = teachers["smoothed_t4"] - teachers["plain_t4"]
    return (
        f"Against those of the plain teacher, the students of the smoothed one are {join_words(parts)}; the smoothed "
        f"teacher itself has {signed(gap)} points on the validation split. Its accuracy on the test split was "
        "not recorded."
    )


def integers() -> str:
    """Quantization-aware training against integer files from images alone."""
    arms = arms_of("quantization", "20 % of the labels")

    def of(arm: str, scheme: str) -> list[float]:
        return [file["accuracy"] for line in arms[arm] for file in line["tflite"] if file["scheme"] == scheme]

    parts = []
    for scheme in ("int8", "int4"):
        plain, aware = of("longer", scheme), of(f"{scheme}_labels", scheme)
        bounds = welch(aware, plain)
        difference = sum(aware) / len(aware) - sum(plain) / len(plain)
        inside = f" ({in_points(bounds)})" if bounds else ""
        parts.append(
            f"At {scheme} the quantization-aware student is {difference_in_words(difference, bounds)}{inside}: "
            f"{signed(difference)} points in the mean of {len(aware)} seeds, whose files from images alone have "
            f"{join_words([f'{100 * one:.1f}' for one in sorted(plain)])} % and whose aware ones "
            f"{join_words([f'{100 * one:.1f}' for one in sorted(aware)])} %."
        )
    return f"On a student of equal epochs, labels alone, against files from images: {' '.join(parts)}"


def published() -> str:
    """The pair of the field's tables: distillation against hard labels, and other losses against plain distillation."""
    parts = []
    for variant in ("ResNet-56 to ResNet-20", "ResNet-56 to ResNet-20, a better teacher"):
        arms = arms_of("published_pair", variant)
        over = [mean(found) - mean(arms[BASELINE]) for arm, found in arms.items() if arm != BASELINE]
        teacher = lines.teacher_accuracy(arms[BASELINE])
        others = [compare(arm, found, arms["logits"]) for arm, found in arms.items() if arm not in (BASELINE, "logits")]
        epochs = arms[BASELINE][0]["recipe"]["training"]["epochs"]
        parts.append(
            f"At {epochs} epochs, with a teacher of {100 * teacher:.2f} %, hard labels reach "
            f"{100 * mean(arms[BASELINE]):.2f} % and distillation adds {100 * min(over):.2f} to {100 * max(over):.2f} "
            f"points; against plain distillation {'; '.join(others)}."
        )
    return " ".join(parts)


def exactness() -> str:
    """Agreement of the trained models with their files."""
    found = lines.read(lines.RESULTS / "zoo_agreement.jsonl")
    exact = [line for line in found if line["agreement"] == 1]
    steps = [line["mean_lsb"] for line in found]
    return (
        f"After `tflite.match_runtime` {len(exact)} of {len(found)} recorded models name the class of their file for "
        f"every image; their outputs differ from it by {min(steps):.3f} to {max(steps):.3f} steps of the output's "
        "quantization in the mean."
    )


def join_words(parts: Sequence[str]) -> str:
    """Parts as a sentence lists them.

    >>> join_words(["a", "b", "c"]), join_words(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(", ".join(parts).rsplit(", ", 1)) if len(parts) > 1 else "".join(parts)


VERDICTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "few_labels": few_labels,
    "larger": larger,
    "families": family_table,
    "bridges": bridges,
    "smoothing": smoothing,
    "integers": integers,
    "exactness": exactness,
    "published": published,
}
