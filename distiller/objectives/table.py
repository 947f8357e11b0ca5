"""The table of objectives by name, and an objective from its name."""

from collections.abc import Mapping
from typing import Any

from distiller.errors import InputError
from distiller.objectives.objective import Objective
from distiller.utils import user_code
from distiller.utils.suggestions import unknown

# Name in recipes → class. `distiller objectives` prints this table, and the contract test runs every line of it. The
# package fills it family by family: an objective that holds another one is made from it too.
OBJECTIVES: dict[str, type[Objective]] = {}

# The acronyms of the papers, by which the field knows the methods → name in the table.
ALIASES = {
    "kd": "hinton",
    "dkd": "decoupled",
    "rld": "refined",
    "abkd": "alpha_beta",
    "at": "attention",
    "nst": "neuron_selectivity",
    "vid": "variational_information",
    "ab": "activation_boundaries",
    "ft": "factor_transfer",
    "fsp": "flow",
    "rkd_d": "relational_distance",
    "rkd_a": "relational_angle",
    "sp": "similarity_preserving",
    "cc": "correlation_congruence",
    "pkt": "probabilistic_transfer",
    "crd": "contrastive",
}


def named(name: Any) -> type[Objective]:
    """The class of an objective from its name, from the acronym of its paper, or from `file.py:Class` of your own.

    Raises:
        InputError: unknown name; the message has the nearest. Or code that cannot be imported, or is no objective.

    >>> from distiller.objectives.table import named
    >>> named("dkd").__name__
    'Decoupled'
    """
    if isinstance(name, str) and user_code.names_code(name):
        return _own(name)
    known = ALIASES.get(name, name) if isinstance(name, str) else name
    if not isinstance(known, str) or known not in OBJECTIVES:
        raise InputError(unknown("objective", name, [*OBJECTIVES, *ALIASES]))
    return OBJECTIVES[known]


def _own(name: str) -> type[Objective]:
    found: Any = user_code.load_function(name)
    if not (isinstance(found, type) and issubclass(found, Objective)):
        raise InputError(
            f"Expected {name!r} to be a class that derives from distiller.objectives.Objective. "
            f"Received: a {type(found).__name__}"
        )
    return found


def get(identifier: str | dict[str, Any] | Objective) -> Objective:
    """An objective from its name, the acronym of its paper or `file.py:Class`, from such a `{"name": …}`, or as it is.

    Raises:
        InputError: unknown name (the message has the nearest), or arguments that it does not take.

    >>> from distiller.objectives import get
    >>> get({"name": "hinton", "temperature": 2.0}).temperature
    2.0
    """
    if isinstance(identifier, Objective):
        return identifier
    if not isinstance(identifier, str | Mapping):
        raise InputError(
            "Expected an objective: one made, such as objectives.Hinton(), its name, or a dict of its name and "
            f"arguments. Received: {getattr(identifier, '__name__', identifier)!r}"
        )
    arguments = {"name": identifier} if isinstance(identifier, str) else dict(identifier)
    name = arguments.pop("name", None)
    kind = named(name)
    try:
        return kind(**arguments)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"Invalid arguments for objective {name!r}: {error}. Received: {arguments}") from error
