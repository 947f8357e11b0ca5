"""The calls that register operators with TensorFlow Lite for Microcontrollers.

Their names are those of the methods of `micro_mutable_op_resolver.h` of github.com/tensorflow/tflite-micro.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from tflite.errors import ModelError
from tflite.inspection.micro_list import OPERATORS

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
    missing = sorted(set(operators) - OPERATORS)
    if missing:
        raise ModelError(
            f"Expected operators of TensorFlow Lite for Microcontrollers. Received: {str(path)!r} with "
            f"{', '.join(missing)}, which it lacks. Leave that platform out: --platform android"
        )
    return [_SPELLED.get(name) or "Add" + _camel_case(name) for name in operators]


def _camel_case(name: str) -> str:
    return re.sub(r"\d\w", lambda dimension: dimension[0].upper(), "".join(map(str.capitalize, name.split("_"))))
