"""Operators and types that the NNAPI delegate of TensorFlow Lite takes, after the checks in its source.

Each needs a version of Android, here by its API level. Parameters of an operator are not looked at, but for those that
files of this package have. Android has deprecated NNAPI since version 15:
https://developer.android.com/ndk/guides/neuralnetworks/migration-guide
"""

from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator

SOURCE = "https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/delegates/nnapi/nnapi_delegate.cc"

_SINCE = {
    27: """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
    FULLY_CONNECTED HARD_SWISH HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC
    LSH_PROJECTION MAX_POOL_2D MUL RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
    """,
    28: """
    BATCH_TO_SPACE_ND DIV EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL LSTM MEAN NEG NOT_EQUAL PAD SELECT
    SPACE_TO_BATCH_ND SQUEEZE STRIDED_SLICE SUB TRANSPOSE
    """,
    29: """
    ABS ARG_MAX ARG_MIN BIDIRECTIONAL_SEQUENCE_LSTM CAST EXP EXPAND_DIMS GATHER LEAKY_RELU LOG LOGICAL_AND LOGICAL_NOT
    LOGICAL_OR LOG_SOFTMAX MAXIMUM MINIMUM PADV2 POW PRELU QUANTIZE REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD
    RESIZE_NEAREST_NEIGHBOR RSQRT SIN SLICE SPLIT SQRT SUM TILE TOPK_V2 TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
    UNIDIRECTIONAL_SEQUENCE_RNN
    """,
    30: "DENSIFY ELU FILL PACK",
}
# API level → version of Android; operator → API level.
ANDROID = {27: "8.1", 28: "9", 29: "10", 30: "11"}
OPERATORS = {name: level for level, names in _SINCE.items() for name in names.split()}

_FLOATS_ALONE = frozenset(
    {
        "ABS",
        "DIV",
        "ELU",
        "EXP",
        "L2_POOL_2D",
        "LOG",
        "LOG_SOFTMAX",
        "POW",
        "REDUCE_PROD",
        "RSQRT",
        "SIN",
        "SQRT",
        "SUM",
    }
)
_TYPES = frozenset({"float32", "float16", "int8", "uint8", "int32", "bool"})
_FLOATS = frozenset({"float32", "float16"})
_MOST_RANK = 4


def why(operator: Operator) -> str | None:
    """The reason why the delegate leaves an operator to the CPU; None for one that is in its list."""
    if operator.custom or operator.name not in OPERATORS:
        return "not in the list of operators"
    if any(len(tensor.shape) > _MOST_RANK for tensor in (*operator.inputs, *operator.outputs)):
        return "a tensor of more than 4 dimensions"
    computed = [tensor for tensor in (*operator.inputs, *operator.outputs) if not tensor.constant]
    for tensor in computed:
        if tensor.dtype not in _TYPES:
            return f"computes with {tensor.dtype}, which is not in its list of types"
        if operator.name in _FLOATS_ALONE and tensor.dtype not in _FLOATS:
            return f"in the list for floating-point numbers alone, here {tensor.dtype}"
    if operator.name == "CONV_2D" and len(operator.inputs) < 3:
        return "in the list with a bias, here without"
    if operator.name == "MEAN" and _changes_scale(operator):
        return "in the list for an output with the scale and zero point of the input, here others"
    return None


def since(operator: Operator) -> int:
    """The API level from which an operator of the list is taken with these types."""
    level = OPERATORS[operator.name]
    types = {tensor.dtype for tensor in (*operator.inputs, *operator.outputs)}
    computed = {tensor.dtype for tensor in (*operator.inputs, *operator.outputs) if not tensor.constant}
    if operator.name == "QUANTIZE" and "int8" in computed:
        return 30
    if operator.name in ("ADD", "MUL", "SUB") and "int32" in computed:
        return 30
    if "int8" in types or (computed & {"int8", "uint8"} and operator.name in ("MEAN", "PAD", "SUB", "TANH")):
        return max(level, 29)
    return level


def notes(file: Flatbuffer) -> tuple[str, ...]:
    """Sentences on the file as a whole."""
    levels = [since(operator) for operator in file.operators if why(operator) is None]
    if not levels:
        return ()
    return (
        f"All that it takes of the file needs Android {ANDROID[max(levels)]}; NNAPI is deprecated since Android 15",
    )


def _changes_scale(operator: Operator) -> bool:
    before, after = operator.inputs[0], operator.outputs[0]
    return bool(after.scales) and (before.scales, before.zero_points) != (after.scales, after.zero_points)
