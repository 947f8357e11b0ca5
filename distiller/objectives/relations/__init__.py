"""Objectives that compare how samples relate to each other."""

from distiller.objectives.objective import Objective
from distiller.objectives.relations.angles import RelationalAngle, relational_angle
from distiller.objectives.relations.contrastive_representation import Contrastive, contrastive
from distiller.objectives.relations.correlation_matrix import CorrelationCongruence, correlation_congruence
from distiller.objectives.relations.distances import RelationalDistance, relational_distance
from distiller.objectives.relations.probability_matching import ProbabilisticTransfer, probabilistic_transfer
from distiller.objectives.relations.similarity_matrix import SimilarityPreserving, similarity_preserving

__all__ = [
    "OBJECTIVES",
    "Contrastive",
    "CorrelationCongruence",
    "ProbabilisticTransfer",
    "RelationalAngle",
    "RelationalDistance",
    "SimilarityPreserving",
    "contrastive",
    "correlation_congruence",
    "probabilistic_transfer",
    "relational_angle",
    "relational_distance",
    "similarity_preserving",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "relational_distance": RelationalDistance,
    "relational_angle": RelationalAngle,
    "similarity_preserving": SimilarityPreserving,
    "correlation_congruence": CorrelationCongruence,
    "probabilistic_transfer": ProbabilisticTransfer,
    "contrastive": Contrastive,
}
