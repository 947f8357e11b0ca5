"""The schemes of a TFLite file, and the types of its input and output in each."""

from tflite.errors import ModelError
from tflite.utils.suggestions import unknown

# Scheme → the input and output types it can have, the default first.
SCHEMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "float32": (("float32",), ("float32",)),
    "float16": (("float32",), ("float32",)),
    "dynamic": (("float32",), ("float32",)),
    "int8": (("uint8", "int8", "float32"), ("int8", "uint8", "float32")),
    "int16x8": (("float32", "int16"), ("float32", "int16")),
    "int4": (("uint8", "int8", "float32"), ("int8", "uint8", "float32")),
}
# Those that compute with integers alone and need ranges of activations.
INTEGER = ("int8", "int16x8", "int4")
# What the converter is asked for, where that is something else: it has no weights of 4 bits.
CONVERTED = {"int4": "int8"}


def types(scheme: str, input_type: str | None, output_type: str | None) -> tuple[str, str]:
    """The types of input and output, the defaults of the scheme where they are not asked for.

    Raises:
        ModelError: an unknown scheme, or a type that it cannot have.
    """
    if scheme not in SCHEMES:
        raise ModelError(unknown("scheme", scheme, SCHEMES))
    inputs, outputs = SCHEMES[scheme]
    for name, received, known in (("input_type", input_type, inputs), ("output_type", output_type, outputs)):
        if received is not None and received not in known:
            raise ModelError(f"{unknown(name, received, known)} (with scheme={scheme!r})")
    return input_type or inputs[0], output_type or outputs[0]
