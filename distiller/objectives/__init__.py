"""What the student should match of the teacher: one method a file, one table."""

from collections.abc import Mapping
from typing import Any

from distiller.errors import InputError
from distiller.nearest import unknown
from distiller.objectives import features, logits, relations
from distiller.objectives.features import (
    ActivationBoundaries,
    Attention,
    Cosine,
    FactorTransfer,
    Flow,
    Hint,
    KnowledgeReview,
    NeuronSelectivity,
    Overhaul,
    Projector,
    SingularVectors,
    VariationalInformation,
    activation_boundaries,
    attention,
    cosine,
    factor_transfer,
    flow,
    hint,
    knowledge_review,
    margin_of,
    neuron_selectivity,
    overhaul,
    projector,
    singular_vectors,
    variational_information,
)
from distiller.objectives.from_keras import FromKeras
from distiller.objectives.logits import (
    TTM,
    WTTM,
    Decoupled,
    Dist,
    Hinton,
    MeanSquaredLogits,
    MultiLevel,
    Standardized,
    decoupled,
    dist,
    hinton,
    mean_squared_logits,
    multi_level,
    standardized,
    ttm,
    wttm,
)
from distiller.objectives.objective import Objective
from distiller.objectives.relations import (
    Contrastive,
    CorrelationCongruence,
    ProbabilisticTransfer,
    RelationalAngle,
    RelationalDistance,
    SimilarityPreserving,
    contrastive,
    correlation_congruence,
    probabilistic_transfer,
    relational_angle,
    relational_distance,
    similarity_preserving,
)

__all__ = [
    "OBJECTIVES",
    "TTM",
    "WTTM",
    "ActivationBoundaries",
    "Attention",
    "Contrastive",
    "CorrelationCongruence",
    "Cosine",
    "Decoupled",
    "Dist",
    "FactorTransfer",
    "Flow",
    "FromKeras",
    "Hint",
    "Hinton",
    "KnowledgeReview",
    "MeanSquaredLogits",
    "MultiLevel",
    "NeuronSelectivity",
    "Objective",
    "Overhaul",
    "ProbabilisticTransfer",
    "Projector",
    "RelationalAngle",
    "RelationalDistance",
    "SimilarityPreserving",
    "SingularVectors",
    "Standardized",
    "VariationalInformation",
    "activation_boundaries",
    "attention",
    "contrastive",
    "correlation_congruence",
    "cosine",
    "decoupled",
    "dist",
    "factor_transfer",
    "flow",
    "get",
    "hint",
    "hinton",
    "knowledge_review",
    "margin_of",
    "mean_squared_logits",
    "multi_level",
    "neuron_selectivity",
    "overhaul",
    "probabilistic_transfer",
    "projector",
    "relational_angle",
    "relational_distance",
    "similarity_preserving",
    "singular_vectors",
    "standardized",
    "ttm",
    "variational_information",
    "wttm",
]

# Name in recipes → class. `distiller objectives` prints this table, and the contract test runs every line of it.
OBJECTIVES: dict[str, type[Objective]] = {**logits.OBJECTIVES, **features.OBJECTIVES, **relations.OBJECTIVES}


def get(identifier: str | dict[str, Any] | Objective) -> Objective:
    """An objective from its name, from `{"name": …, **arguments}`, or as it is.

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
    if name not in OBJECTIVES:
        raise InputError(unknown("objective", name, OBJECTIVES))
    try:
        return OBJECTIVES[name](**arguments)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"Invalid arguments for objective {name!r}: {error}. Received: {arguments}") from error
