"""Objectives that compare features: maps or vectors (batch, channels).

Maps are those of images (batch, height, width, channels), and as well of sequences (batch, positions, channels) and of
volumes (batch, depth, height, width, channels): what is said of 1×1 and 3×3 convolutions, of height and width, is so of
one axis and of three.
"""

from distiller.objectives.features.attention_maps import Attention, attention
from distiller.objectives.features.boundary_transfer import ActivationBoundaries, activation_boundaries
from distiller.objectives.features.cosine_similarity import Cosine, cosine
from distiller.objectives.features.feature_overhaul import Overhaul, margin_of, overhaul
from distiller.objectives.features.fitnet_hint import Hint, hint
from distiller.objectives.features.information_bound import VariationalInformation, variational_information
from distiller.objectives.features.paraphrased_factors import FactorTransfer, factor_transfer
from distiller.objectives.features.projection_head import Projector, projector
from distiller.objectives.features.review_fusion import KnowledgeReview, knowledge_review
from distiller.objectives.features.selectivity_transfer import NeuronSelectivity, neuron_selectivity
from distiller.objectives.features.singular_decomposition import SingularVectors, singular_vectors
from distiller.objectives.features.solution_flow import Flow, flow
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
