"""Operators and types that TensorFlow Lite's GPU delegate takes, after its own source.

The documentation's list (https://ai.google.dev/edge/litert/performance/gpu) has 23 operators and says of the others
that they run on the CPU. The delegate itself knows more of them: the cases of `NewOperationParser`, and the types and
ranks that `GetOpsToReplace` allows. Parameters of an operator, which it checks too, are not looked at here.
"""

from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator

SOURCE = "https://github.com/google-ai-edge/LiteRT/blob/main/tflite/delegates/gpu/common/model_builder.cc"

_OPERATORS = """
    ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D COS CUMSUM DENSIFY DEPTHWISE_CONV_2D
    DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER
    GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM
    MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6
    RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE
    SOFTMAX SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE
    TRANSPOSE_CONV UNPACK
"""
OPERATORS = frozenset(_OPERATORS.split())
_CUSTOM = frozenset({"Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler"})
_COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND", "NOT_EQUAL")

# Types of what is computed; constants may have others.
_TYPES = frozenset({"float32", "float16", "int8", "uint8"})
_MORE_INPUTS = {
    "CAST": {"bool", "int32"},
    "GATHER": {"int32"},
    "LOGICAL_AND": {"bool"},
    "ONE_HOT": {"int32"},
    "SELECT": {"bool"},
    "SELECT_V2": {"bool"},
}
_MORE_OUTPUTS = {"CAST": {"bool", "int32"}, **{name: {"bool"} for name in _COMPARISONS}}
_MOST_RANK = 4


def why(operator: Operator) -> str | None:
    """The reason why the delegate leaves an operator to the CPU; None for one that is in its list."""
    if operator.name not in (_CUSTOM if operator.custom else OPERATORS):
        return "not in the list of operators"
    if any(len(tensor.shape) > _MOST_RANK for tensor in (*operator.inputs, *operator.outputs)):
        return "a tensor of more than 4 dimensions"
    ports = [(operator.inputs, _MORE_INPUTS), (operator.outputs, _MORE_OUTPUTS)]
    for tensors, more in ports:
        allowed = _TYPES | more.get(operator.name, set())
        for tensor in tensors:
            if not tensor.constant and tensor.dtype not in allowed:
                return f"computes with {tensor.dtype}, which is not in its list of types"
    return None


def notes(file: Flatbuffer) -> tuple[str, ...]:
    """Sentences on the file as a whole."""
    left = [operator for operator in file.operators if why(operator)]
    found = []
    if left and len(left) < len(file.operators):
        found.append(
            "Of the parts between the operators that it leaves the GPU runs the largest alone, by default; all else "
            "runs on the CPU"
        )
    if any(tensor.dtype in ("int8", "uint8") and tensor.scales for op in file.operators for tensor in op.outputs):
        found.append("8-bit integers are computed as floating-point numbers there: a float16 file does the same work")
    return tuple(found)
