"""The calls that register operators with TensorFlow Lite for Microcontrollers.

Source: `micro_mutable_op_resolver.h` of github.com/tensorflow/tflite-micro, the methods that take no required argument.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from tflite.errors import ModelError

_KNOWN_TEXT = """
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
_KNOWN = frozenset(_KNOWN_TEXT.split())
# Where the name of the method is not that of the operator in camel case.
_SPELLED = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "L2_POOL_2D": "AddL2Pool2D",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


def registrations(path: Path, operators: Iterable[str]) -> list[str]:
    """Names of the resolver's methods, one an operator.

    >>> registrations(Path("student.tflite"), ["CONV_2D", "FULLY_CONNECTED", "PADV2"])
    ['AddConv2D', 'AddFullyConnected', 'AddPadV2']

    Raises:
        ModelError: operators that the runtime lacks.
    """
    missing = sorted(set(operators) - _KNOWN)
    if missing:
        raise ModelError(
            f"Expected operators of TensorFlow Lite for Microcontrollers. Received: {str(path)!r} with "
            f"{', '.join(missing)}, which it lacks. Leave that platform out: --platform android"
        )
    return [_SPELLED.get(name) or "Add" + _camel_case(name) for name in operators]


def _camel_case(name: str) -> str:
    return re.sub(r"\d\w", lambda dimension: dimension[0].upper(), "".join(map(str.capitalize, name.split("_"))))
