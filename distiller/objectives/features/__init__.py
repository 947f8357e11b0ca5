"""Objectives that compare features: maps or vectors (batch, channels).

Maps are those of images (batch, height, width, channels), and as well of sequences (batch, positions, channels) and of
volumes (batch, depth, height, width, channels): what is said of 1×1 and 3×3 convolutions, of height and width, is so of
one axis and of three.
"""

from distiller.objectives.features.activation_boundaries import ActivationBoundaries, activation_boundaries
from distiller.objectives.features.attention import Attention, attention
from distiller.objectives.features.cosine import Cosine, cosine
from distiller.objectives.features.factor_transfer import FactorTransfer, factor_transfer
from distiller.objectives.features.flow import Flow, flow
from distiller.objectives.features.hint import Hint, hint
from distiller.objectives.features.knowledge_review import KnowledgeReview, knowledge_review
from distiller.objectives.features.neuron_selectivity import NeuronSelectivity, neuron_selectivity
from distiller.objectives.features.overhaul import Overhaul, margin_of, overhaul
from distiller.objectives.features.projector import Projector, projector
from distiller.objectives.features.singular_vectors import SingularVectors, singular_vectors
from distiller.objectives.features.variational_information import VariationalInformation, variational_information
from distiller.objectives.objective import Objective

__all__ = [
    "OBJECTIVES",
    "ActivationBoundaries",
    "Attention",
    "Cosine",
    "FactorTransfer",
    "Flow",
    "Hint",
    "KnowledgeReview",
    "NeuronSelectivity",
    "Overhaul",
    "Projector",
    "SingularVectors",
    "VariationalInformation",
    "activation_boundaries",
    "attention",
    "cosine",
    "factor_transfer",
    "flow",
    "hint",
    "knowledge_review",
    "margin_of",
    "neuron_selectivity",
    "overhaul",
    "projector",
    "singular_vectors",
    "variational_information",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "hint": Hint,
    "cosine": Cosine,
    "attention": Attention,
    "neuron_selectivity": NeuronSelectivity,
    "variational_information": VariationalInformation,
    "activation_boundaries": ActivationBoundaries,
    "factor_transfer": FactorTransfer,
    "flow": Flow,
    "overhaul": Overhaul,
    "knowledge_review": KnowledgeReview,
    "projector": Projector,
    "singular_vectors": SingularVectors,
}
