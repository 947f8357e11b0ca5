"""Objectives that compare logits."""

from distiller.objectives.logits.alpha_beta_divergence import AlphaBeta, alpha_beta
from distiller.objectives.logits.decoupled_knowledge import Decoupled, decoupled
from distiller.objectives.logits.logit_regression import MeanSquaredLogits, mean_squared_logits
from distiller.objectives.logits.logit_standardization import Standardized, standardized
from distiller.objectives.logits.multi_level_logits import MultiLevel, multi_level
from distiller.objectives.logits.refined_logits import Refined, refined
from distiller.objectives.logits.row_column_correlation import Dist, dist
from distiller.objectives.logits.soft_targets import Hinton, hinton
from distiller.objectives.logits.transformed_teacher import TTM, ttm
from distiller.objectives.logits.weighted_transformed_teacher import WTTM, wttm
from distiller.objectives.objective import Objective

__all__ = [
    "OBJECTIVES",
    "TTM",
    "WTTM",
    "AlphaBeta",
    "Decoupled",
    "Dist",
    "Hinton",
    "MeanSquaredLogits",
    "MultiLevel",
    "Refined",
    "Standardized",
    "alpha_beta",
    "decoupled",
    "dist",
    "hinton",
    "mean_squared_logits",
    "multi_level",
    "refined",
    "standardized",
    "ttm",
    "wttm",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "hinton": Hinton,
    "mean_squared_logits": MeanSquaredLogits,
    "decoupled": Decoupled,
    "dist": Dist,
    "ttm": TTM,
    "wttm": WTTM,
    "standardized": Standardized,
    "multi_level": MultiLevel,
    "refined": Refined,
    "alpha_beta": AlphaBeta,
}
