"""The one table of rules: a new one is a function and a line here."""

from collections.abc import Callable

from tflite.inspection import delegate_rules, layer_rules, type_rules
from tflite.inspection.finding import Facts, Finding

RULES: tuple[Callable[[Facts], Finding | None], ...] = (
    delegate_rules.not_runnable,
    delegate_rules.partitions,
    delegate_rules.fallback,
    type_rules.dynamic_batch,
    type_rules.float_operators,
    type_rules.inner_conversions,
    type_rules.per_tensor_weights,
    type_rules.uint8_weights,
    type_rules.int16_activations,
    layer_rules.unfused_activations,
    layer_rules.unfolded_normalization,
    layer_rules.odd_channels,
)


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Findings of the rules, in the order of the table."""
    return tuple(found for rule in RULES if (found := rule(facts)) is not None)
