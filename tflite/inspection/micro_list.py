"""Operators of TensorFlow Lite for Microcontrollers, and weights that it refuses.

The operators are those whose method in `micro_mutable_op_resolver.h` takes no required argument.
"""

from tflite.model_file.operators import Operator

SOURCE = "https://github.com/tensorflow/tflite-micro/blob/main/tensorflow/lite/micro/micro_mutable_op_resolver.h"

_OPERATORS = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV
    ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
    GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT
    LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU
    QUANTIZE READ_VARIABLE REDUCE_MAX RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2
    SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE
    STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE
    ZEROS_LIKE
"""
OPERATORS = frozenset(_OPERATORS.split())

# Type of what is computed → the types of weights that its kernels take beside it: `conv_common.cc`, "Hybrid models are
# not supported".
_WEIGHTS = {"int16": {"int16", "int8"}, "int8": {"int8", "int4"}}
_WITH_WEIGHTS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 0, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 2}


def is_hybrid(operator: Operator) -> bool:
    """Return whether an operator computes with weights of another kind than its input: integers beside real numbers."""
    place = _WITH_WEIGHTS.get(operator.name)
    if place is None or len(operator.inputs) <= max(place, 1):
        return False
    data, weights = operator.inputs[place], operator.inputs[1]
    return weights.dtype not in _WEIGHTS.get(data.dtype, {data.dtype})
