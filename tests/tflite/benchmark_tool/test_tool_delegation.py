"""Which delegate ran, from the tool's words."""

import pytest

from tflite.benchmark_tool.delegation import Delegation, parse_delegation

XNNPACK_CREATED = "Created TensorFlow Lite XNNPACK delegate for CPU."
APPLIED = "Explicitly applied {} delegate, and the model graph will be {} executed by the delegate"
EARLY = "Applied {} delegate, and the model graph will be {} executed w/ the delegate."
REPLACING = "Replacing {} out of {} node(s) with delegate ({}) node, yielding {} partitions for subgraph {}."
XNNPACK = "TfLiteXNNPackDelegate"
IN_VAIN = "Though {} delegate is explicitly applied, the model graph will not be executed by the delegate."


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Delegation("unknown")),
        (["Use xnnpack: [0]"], Delegation("none")),
        (["Use xnnpack: [1]"], Delegation("unknown")),
        ([XNNPACK_CREATED], Delegation("xnnpack")),
        ([APPLIED.format("XNNPACK", "completely") + "."], Delegation("xnnpack", True)),
        (
            [APPLIED.format("GPU", "partially") + " w/ 2 delegate kernels."],
            Delegation("gpu", False, "gpu ran a part of the model, in 2 pieces"),
        ),
        # The rest of a model that a GPU left goes to XNNPACK.
        ([APPLIED.format("GPU", "completely") + ".", XNNPACK_CREATED], Delegation("gpu", True)),
        # A build without a GPU goes on with the processor.
        (
            ["Use gpu: [1]", "GPU acceleration is unsupported on this platform.", XNNPACK_CREATED],
            Delegation("xnnpack"),
        ),
        (["Use NNAPI: [1]", "Created TensorFlow Lite delegate for NNAPI.", IN_VAIN.format("NNAPI")], ("nnapi",)),
        ([IN_VAIN.format("XNNPACK")], Delegation("none", refused=("xnnpack",))),
        (
            ["Replacing 56 out of 58 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 3 partitions for x"],
            Delegation("xnnpack", False, "xnnpack ran 56 of 58 operators, 3 partitions in all"),
        ),
        (
            ["Replacing 58 out of 58 node(s) with delegate (TfLiteGpuDelegateV2) node, yielding 1 partitions."],
            Delegation("gpu", True),
        ),
        # LiteRT's GPU delegates are named after what they program the GPU with.
        ([REPLACING.format(66, 66, "LITERT_CL", 1, 0), XNNPACK_CREATED], Delegation("gpu", True)),
        ([REPLACING.format(66, 66, "LITERT_OPENGL", 1, 0)], Delegation("gpu", True)),
        ([REPLACING.format(66, 66, "LITERT_WEBGPU", 1, 0)], Delegation("gpu", True)),
        (
            [REPLACING.format(60, 66, "LITERT_CL", 2, 0), REPLACING.format(7, 7, XNNPACK, 1, 0)],
            Delegation("gpu", False, "gpu ran 60 of 66 operators, 2 partitions in all"),
        ),
        # XNNPACK has what a delegate left that nobody here knows; that of TensorFlow's operators accelerates nothing.
        (
            [REPLACING.format(60, 66, "NewDelegate", 2, 0), REPLACING.format(7, 7, XNNPACK, 1, 0)],
            Delegation("NewDelegate", False, "NewDelegate ran 60 of 66 operators, 2 partitions in all"),
        ),
        (
            [REPLACING.format(0, 66, "NewDelegate", 0, 0), REPLACING.format(66, 66, XNNPACK, 1, 0)],
            Delegation("xnnpack", True),
        ),
        (
            [REPLACING.format(3, 50, "TfLiteFlexDelegate", 2, 0), REPLACING.format(47, 49, XNNPACK, 3, 0)],
            Delegation("xnnpack", False, "xnnpack ran 47 of 49 operators, 3 partitions in all"),
        ),
        # A line for each subgraph: all of them count, and one that is printed again counts once.
        (
            [REPLACING.format(10, 50, XNNPACK, 9, 0), REPLACING.format(5, 5, XNNPACK, 1, 1)],
            Delegation("xnnpack", False, "xnnpack ran 15 of 55 operators, 10 partitions in all"),
        ),
        ([REPLACING.format(9, 9, XNNPACK, 1, 0), REPLACING.format(5, 5, XNNPACK, 1, 1)], Delegation("xnnpack", True)),
        (
            [REPLACING.format(10, 50, XNNPACK, 9, 0)] * 2,
            Delegation("xnnpack", False, "xnnpack ran 10 of 50 operators, 9 partitions in all"),
        ),
        # What the tool says of the whole model is of its main subgraph.
        (
            [REPLACING.format(2, 5, XNNPACK, 3, 1), APPLIED.format("XNNPACK", "completely") + "."],
            Delegation("xnnpack", False, "xnnpack ran 2 of 5 operators, 3 partitions in all"),
        ),
        (
            [REPLACING.format(5, 5, XNNPACK, 1, 1), APPLIED.format("XNNPACK", "partially") + " w/ 2 delegate kernels."],
            Delegation("xnnpack", False, "xnnpack ran a part of the model, in 2 pieces"),
        ),
        # A build of 2020 has other words, and XNNPACK off says nothing of the GPU.
        (["Use gpu : [1]", "Use xnnpack : [0]", EARLY.format("GPU", "completely")], Delegation("gpu", True)),
        (["Use gpu : [1]", "Use xnnpack : [0]"], Delegation("unknown")),
        (["Use gpu : [0]", "Use xnnpack : [0]"], Delegation("none")),
        (
            [EARLY.format("NNAPI", "partially")],
            Delegation("nnapi", False, "nnapi ran a part of the model, in several pieces"),
        ),
        (["Explicitly applied GPU delegate, and the model gra"], Delegation("unknown")),
    ],
)
def test_delegates(lines, expected):
    got = parse_delegation(lines)
    if isinstance(expected, tuple):
        assert (got.refused, got.name) == (expected, "unknown")
    else:
        assert (got.name, got.complete, got.note, got.refused) == (
            expected.name,
            expected.complete,
            expected.note,
            expected.refused,
        )


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        ([REPLACING.format(56, 58, XNNPACK, 3, 0)], (56, 58)),
        ([REPLACING.format(10, 50, XNNPACK, 9, 0), REPLACING.format(5, 5, XNNPACK, 1, 1)], (15, 55)),
        ([REPLACING.format(60, 66, "LITERT_CL", 2, 0), REPLACING.format(7, 7, XNNPACK, 1, 0)], (60, 66)),
        # The file is known to have 12 operators.
        ([APPLIED.format("GPU", "completely") + "."], (12, 12)),
        ([APPLIED.format("GPU", "partially") + " w/ 2 delegate kernels."], (None, 12)),
        (["Use xnnpack: [0]"], (0, 12)),
        ([XNNPACK_CREATED], (None, 12)),
    ],
)
def test_operators_that_a_delegate_takes(lines, counts):
    assert parse_delegation(lines).counts(12) == counts
