"""Results of an audit, and their JSON."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from distiller.errors import InputError

NAME = "privacy.json"
ATTACKS = ("loss", "confidence")
SENTENCE = (
    "An audit bounds nothing from above: these attacks found at least so much, and what others would find is not known"
)


@dataclass(frozen=True)
class Rate:
    """A fraction, and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Attack:
    """An attack: the area under its curve, where 0.5 is a guess, and its true positives at few false ones.

    `at_one_in_thousand` and `at_one_in_hundred` are the shares of members that it finds while it takes 0.1 % and 1 % of
    other images for members; a guess finds as many.
    """

    name: str
    area: Rate
    at_one_in_thousand: Rate
    at_one_in_hundred: Rate


@dataclass(frozen=True)
class Audit:
    """Attacks on one network, of so many members and others, with the network's accuracy on each.

    `curve` has pairs (false positives, true positives) of the loss attack, for a figure.
    """

    members: int
    others: int
    member_accuracy: float
    other_accuracy: float
    attacks: tuple[Attack, ...]
    curve: tuple[tuple[float, float], ...]
    confidence: float


@dataclass(frozen=True)
class Audited:
    """The audit of one network of a run.

    `network` is the arm of a student, or "teacher"; `scheme` that of a TFLite file, None for the Keras network.
    `members_of` says whose images the members are: "student", those that this network was trained on; "teacher", those
    that only its teacher was; for the teacher itself "teacher".
    """

    network: str
    seed: int | None
    scheme: str | None
    members_of: str
    audit: Audit


@dataclass(frozen=True)
class RunAudit:
    """Audits of the networks of a run; `notes` say what could not be told."""

    networks: tuple[Audited, ...]
    notes: tuple[str, ...]
    sentence: str = SENTENCE

    def to_json(self) -> str:
        """The fields as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "RunAudit":
        """The audits that `to_json` wrote.

        Raises:
            InputError: a text of another kind.
        """
        try:
            fields = json.loads(text)
            return cls(tuple(map(_audited, fields["networks"])), tuple(fields["notes"]), fields["sentence"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"Expected the JSON of an audit. Received: {text[:40]!r} ({error!r})") from None


def _audited(fields: dict[str, Any]) -> Audited:
    audit = fields["audit"]
    rates = ("area", "at_one_in_thousand", "at_one_in_hundred")
    attacks = tuple(Attack(one["name"], *(Rate(**one[name]) for name in rates)) for one in audit["attacks"])
    curve = tuple((float(false), float(true)) for false, true in audit["curve"])
    return Audited(**{**fields, "audit": Audit(**{**audit, "attacks": attacks, "curve": curve})})
