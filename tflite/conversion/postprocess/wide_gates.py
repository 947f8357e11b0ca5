"""Sigmoids of 16 bits with the step that the runtime wants."""

from typing import Any

import numpy as np

# What the runtime takes, and nothing else.
_STEP = 2.0**-15


def correct_gates(model: Any) -> None:
    """Give the results of LOGISTIC and TANH of 16 bits in an unpacked file the step 2⁻¹⁵ and the integer 0 for zero.

    Where the graph has its ranges the converter writes 2⁻¹⁶ and −2¹⁵ for the sigmoid, and a QUANTIZE to what was asked
    for after it; the runtime refuses to run such a file.
    """
    from ai_edge_litert import schema_py_generated as schema

    kinds = {schema.BuiltinOperator.LOGISTIC, schema.BuiltinOperator.TANH}
    tensors = model.subgraphs[0].tensors
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        result = tensors[operator.outputs[0]]
        if max(code.builtinCode, code.deprecatedBuiltinCode) in kinds and result.type == schema.TensorType.INT16:
            result.quantization.scale = np.asarray([_STEP], "<f4")
            result.quantization.zeroPoint = np.asarray([0], "<i8")
