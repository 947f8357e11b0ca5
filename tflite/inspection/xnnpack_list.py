"""Operators that XNNPACK's delegate documents, for a reason why it did not take one on this machine.

After the section "Limitations and supported operators" of its README. Which operators it takes is not read from the
list: it is seen from the interpreter here.
"""

from tflite.model_file.operators import Operator

SOURCE = "https://github.com/google-ai-edge/LiteRT/blob/main/tflite/delegates/xnnpack/README.md"

_FLOAT = """
    ABS ADD AVERAGE_POOL_2D CEIL CONCATENATION CONV_2D DEPTH_TO_SPACE DEPTHWISE_CONV_2D DIV ELU FULLY_CONNECTED FLOOR
    HARD_SWISH LEAKY_RELU LOGISTIC MAX_POOL_2D MAXIMUM MEAN MINIMUM MUL NEG PAD PRELU RELU RELU6 RELU_N1_TO_1 RESHAPE
    RESIZE_BILINEAR ROUND SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB TANH
    TRANSPOSE TRANSPOSE_CONV
"""
FLOAT = frozenset(_FLOAT.split())
_QUANTIZED = """
    ADD CONCATENATION CONV_2D DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE ELU FULLY_CONNECTED LEAKY_RELU LOGISTIC
    MAX_POOL_2D MEAN MUL PAD QUANTIZE RESHAPE RESIZE_BILINEAR SLICE SPACE_TO_DEPTH SPLIT SUB TANH TRANSPOSE
    TRANSPOSE_CONV
"""
QUANTIZED = frozenset(_QUANTIZED.split())


def why(operator: Operator) -> str:
    """A reason why the delegate left an operator, as far as its list tells one."""
    if operator.custom or operator.name not in FLOAT | QUANTIZED:
        return "not in the documented list of operators"
    types = {tensor.dtype for tensor in (*operator.inputs, *operator.outputs) if not tensor.constant}
    weights = {tensor.dtype for tensor in operator.inputs if tensor.is_weight}
    others = types - {"float32", "int8", "uint8"}
    if others:
        return f"computes with {', '.join(sorted(others))}, which is not in the documented list of types"
    if "float32" in types and weights & {"int4", "int8", "uint8"}:
        return "integer weights with floating-point activations are not in the documented list"
    if types & {"int8", "uint8"} and operator.name not in QUANTIZED:
        return "in the documented list for floating-point numbers alone"
    if types == {"float32"} and operator.name not in FLOAT:
        return "in the documented list for 8-bit integers alone"
    return "in the documented list, and not taken here: its parameters or shapes are the reason"
