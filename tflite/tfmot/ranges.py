"""Initial ranges of activations."""

from typing import Any

from tflite.tfmot.library import library

# Where tensorflow-model-optimization has them start.
START = (-6.0, 6.0)


def start_with_first_batch(network: Any) -> None:
    """Let the ranges of a quantized Keras 2 network start with those of the first batch of the training.

    They start at ±6 otherwise and move by a thousandth a step: a network with larger activations is cut off for
    thousands of steps.
    """
    quantizers = library().tfmot.quantization.keras.quantizers

    class FirstBatch(quantizers.MovingAverageQuantizer):  # type: ignore[name-defined]
        def __call__(self, inputs: Any, training: bool | None, weights: Any, **kwargs: Any) -> Any:
            if training:
                _start(inputs, weights["min_var"], weights["max_var"])
            return super().__call__(inputs, training, weights, **kwargs)

    def replaced(quantizer: Any) -> Any:
        return (
            FirstBatch(**quantizer.get_config()) if type(quantizer) is quantizers.MovingAverageQuantizer else quantizer
        )

    for layer in network.layers:
        for part in getattr(layer, "_quantize_activations", ()):
            part.quantizer = replaced(part.quantizer)
        if getattr(layer, "_output_quantizers", None):
            layer._output_quantizers = [replaced(quantizer) for quantizer in layer._output_quantizers]


def kernel_ranges(network: Any) -> None:
    """Let the ranges of kernels be those of the kernels, as after a first step."""
    for layer in network.layers:
        for weight, quantizer, values in getattr(layer, "_weight_vars", ()):
            quantizer(weight, True, weights=values)


def activation_ranges(network: Any) -> list[tuple[float, float]]:
    """Those that follow the batches."""
    found = []
    for layer in network.layers:
        held = [getattr(part, "_post_activation_vars", None) for part in getattr(layer, "_quantize_activations", ())]
        held.append(getattr(layer, "_output_quantizer_vars", None))
        found += [(float(values["min_var"].numpy()), float(values["max_var"].numpy())) for values in held if values]
    return found


def _start(inputs: Any, low: Any, high: Any) -> None:
    """Set a range that is where it was made to that of a batch."""
    import tensorflow as tf

    fresh = tf.logical_and(tf.equal(low, START[0]), tf.equal(high, START[1]))
    low.assign(tf.where(fresh, tf.minimum(tf.reduce_min(inputs), 0.0), low))
    high.assign(tf.where(fresh, tf.maximum(tf.reduce_max(inputs), 0.0), high))
