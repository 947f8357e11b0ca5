"""The audit of a run for its reader: a table, and a figure of how many members are found at how many false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distiller.errors import InputError
from distiller.privacy.curves import FALSE_POSITIVES
from distiller.privacy.results import NAME, Audited, Rate, RunAudit
from distiller.report.table import label
from distiller.report.tables import Table

if TYPE_CHECKING:
    from distiller.report.canvas import Picture

_HEADINGS = (
    "Network",
    "Members",
    "Attack",
    "AUC",
    "interval",
    "Found at 0.1 %",
    "interval",
    "Found at 1 %",
    "interval",
    "Gap",
)
_MOST_CURVES = 6


@dataclass(frozen=True)
class Privacy:
    """A table and sentences below it."""

    table: Table
    notes: list[str]


def read(folder: Path) -> RunAudit | None:
    """The audit of a run; None where there is none.

    Raises:
        InputError: a file that holds something else.
    """
    path = Path(folder) / NAME
    if not path.exists():
        return None
    try:
        return RunAudit.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"The audit in {str(path)!r} cannot be read: {error}. Remove the file") from None


def table(found: RunAudit) -> Privacy:
    """A row for each network, its members and each attack, over its seeds; gaps of accuracy in points.

    Values are means over seeds, and intervals reach from the lowest end to the highest.
    """
    groups: dict[tuple[str, str], list[Audited]] = {}
    for one in found.networks:
        groups.setdefault((name(one), one.members_of), []).append(one)
    lines: list[tuple[bool, tuple[Any, ...]]] = []
    before = None
    for (title, _), seeds in groups.items():
        gap = 100 * float(np.mean([one.audit.member_accuracy - one.audit.other_accuracy for one in seeds]))
        for attacks in zip(*(one.audit.attacks for one in seeds), strict=True):
            area = _over_seeds([attack.area for attack in attacks])
            shown = [f"{area.value:.3f}", f"{area.low:.3f} to {area.high:.3f}"]
            for rates in (
                [attack.at_one_in_thousand for attack in attacks],
                [attack.at_one_in_hundred for attack in attacks],
            ):
                rate = _over_seeds(rates)
                shown += [f"{100 * rate.value:.2f} %", f"{100 * rate.low:.2f} to {100 * rate.high:.2f}"]
            cells = (title, whose(seeds[0]), attacks[0].name, *shown, f"{gap:+.1f}".replace("-", "−"))
            lines.append((before is not None and before != seeds[0].network, cells))
            before = seeds[0].network
    numbers = [heading not in ("Network", "Members", "Attack") for heading in _HEADINGS]
    return Privacy(Table(list(_HEADINGS), numbers, lines), _notes(found))


def _notes(found: RunAudit) -> list[str]:
    confidence = found.networks[0].audit.confidence
    others = sorted({one.audit.others for one in found.networks})
    seeds = len({one.seed for one in found.networks if one.seed is not None})
    notes = [
        f"{found.sentence}.",
        "AUC 0.5 is a guess. Found: the share of members that are found while 0.1 % and 1 % of other images are taken "
        f"for members, of {' or '.join(f'{count:,}' for count in others)} other images. Intervals of "
        f"{100 * confidence:g} %, by the bootstrap over images"
        + (f"; means of {seeds} seeds, and their widest interval" if seeds > 1 else "")
        + ". The gap is the accuracy on members less that on others, in points.",
    ]
    if others[0] < 1 / FALSE_POSITIVES[0]:
        notes.append(
            f"0.1 % of {others[0]:,} images is none: members are found there that score above every other image"
        )
    return [*notes, *found.notes]


def _over_seeds(rates: Sequence[Rate]) -> Rate:
    mean = float(np.mean([rate.value for rate in rates]))
    return Rate(mean, min(rate.low for rate in rates), max(rate.high for rate in rates))


def draw(found: RunAudit, path: Path) -> "Picture":
    """Curves of the loss attack on logarithmic axes, of each network's first seed, on its own members."""
    # matplotlib loads only where pictures are made.
    from distiller.report import canvas
    from distiller.report.canvas import INK, TEXT

    first: dict[str, Audited] = {}
    for one in found.networks:
        if one.members_of == "student" or one.network == "teacher":
            first.setdefault(name(one), one)
    shown = dict(list(first.items())[:_MOST_CURVES])
    look = canvas.looks(list(shown))
    figure, axes = canvas.blank("Members that the loss attack finds", "first seed of each network", key=look)
    least = min(one.audit.curve[0][0] for one in shown.values())
    for key, one in shown.items():
        false, true = zip(*((100 * a, 100 * b) for a, b in one.audit.curve if b > 0), strict=True)
        axes.plot(false, true, color=look[key].colour, marker=look[key].marker, markevery=12, linewidth=1.8)
    axes.plot([100 * least, 100], [100 * least, 100], color=INK, linestyle=(0, (5, 3)), linewidth=1.3)
    axes.set(xscale="log", yscale="log", xlim=(100 * least, 100), ylim=(100 * least, 130))
    axes.set_xlabel("other images taken for members (%)", size=TEXT)
    axes.set_ylabel("members found (%)", size=TEXT)
    areas = ", ".join(f"{key} {one.audit.attacks[0].area.value:.3f}" for key, one in shown.items())
    return canvas.save(
        figure,
        path,
        title="Membership",
        caption="Share of the training images that a threshold on the loss finds, by the share of other images that it "
        "takes for them. On the dashed line it guesses.",
        alt=f"Curves of members found by false alarms on logarithmic axes; areas below them: {areas}.",
    )


def name(one: Audited) -> str:
    """A network of a run in words.

    >>> import types
    >>> name(types.SimpleNamespace(network="hard_labels", scheme="int8"))
    'hard labels, int8'
    """
    return label(one.network) + (f", {one.scheme}" if one.scheme else "")


def whose(one: Audited) -> str:
    """Number of the members, and whose images they are."""
    own = one.members_of == "student" or one.network == "teacher"
    return f"{one.audit.members:,} of its {'own' if own else 'teacher'}"
