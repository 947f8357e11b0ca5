"""Small ONNX files with known weights."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def classifier(path: Path, kernel: np.ndarray, *, batch="n", size="s", outputs=("logits",), softmax=False) -> Path:
    """Write a network: features are means over positions of (batch, 3, size, size), logits those times `kernel`."""
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["features"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["features", "kernel"], ["raw" if softmax else "logits"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["raw"], ["logits"], axis=1))
    shapes = {"features": 3, "logits": kernel.shape[1]}
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, size, size])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, shapes[name]]) for name in outputs],
        [numpy_helper.from_array(kernel.astype("float32"), "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path
