"""Content of a TFLite file, and what of it will be slow or wrong on a phone."""

from dataclasses import dataclass
from pathlib import Path

from tflite.inspection.accelerators import DelegateFit, fits
from tflite.inspection.arena import arena_bytes
from tflite.inspection.cost import Cost, bytes_by_operator, bytes_by_type, costs
from tflite.inspection.drawing import draw
from tflite.inspection.finding import Facts, Finding
from tflite.inspection.needs import Need, Runtime, needs, runtimes
from tflite.inspection.overlay import overlay
from tflite.inspection.partitions import partitions
from tflite.inspection.rules import findings
from tflite.inspection.signatures import Signature, signatures_of
from tflite.model_file.files import read_model
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.interpreter import open_model, ports
from tflite.model_file.metadata.reading import metadata_or_none
from tflite.model_file.metadata.schema import Metadata
from tflite.model_file.operators import Operator
from tflite.model_file.tensor_spec import TensorSpec
from tflite.utils.record import Record


@dataclass(frozen=True)
class Inspection(Record):
    """Content of a TFLite file.

    `parameters` counts weights and biases as they are in the file, with those inside of loops: batch normalisation is
    folded into them. Their bytes are told by type and by the operator that computes with them. `operators` and `costs`
    have a loop as one. `arena_bytes` estimates the memory of the
    activations of one image. `costs` has one entry an operator; `multiply_adds` is their sum, of those that are known.
    `float_operators` are those that compute with floating-point numbers: all of a float file, none of an integer
    one; a QUANTIZE of an input and a DEQUANTIZE to an output are the interface and not among them. `partitions` are
    the operators, by index, that XNNPACK takes together on this machine; None where the file cannot be run here.
    `metadata` are the class labels and how images become inputs, None where the file does not say. `signatures` are
    the names by which an application calls it, with those of their inputs and outputs. `delegates` say what a GPU,
    NNAPI and XNNPACK leave to the CPU by what is documented of them, and why. `needs` are things that not every runtime
    has, and `runtimes` those that open the file.
    """

    path: Path
    bytes: int
    parameters: int
    weight_bytes_by_type: dict[str, int]
    weight_bytes_by_operator: dict[str, int]
    arena_bytes: int
    multiply_adds: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    operators: tuple[Operator, ...]
    costs: tuple[Cost, ...]
    float_operators: tuple[Operator, ...]
    partitions: tuple[tuple[int, ...], ...] | None
    findings: tuple[Finding, ...]
    metadata: Metadata | None
    signatures: tuple[Signature, ...] = ()
    delegates: tuple[DelegateFit, ...] = ()
    needs: tuple[Need, ...] = ()
    runtimes: tuple[Runtime, ...] = ()

    @property
    def is_integer(self) -> bool:
        """True if nothing inside computes with floating-point numbers."""
        return not self.float_operators

    @property
    def fallback(self) -> tuple[Operator, ...]:
        """Operators that XNNPACK does not take."""
        return tuple(self.operators[cost.index] for cost in self.costs if not cost.delegated)

    def draw(self, path: str | Path) -> Path:
        """Draw the graph as an `.svg`, `.png` or `.pdf` file; see `tflite.inspection.drawing`."""
        return draw(self, path)

    def overlay(self, path: str | Path, quantity: str = "multiply_adds") -> Path:
        """Write "multiply_adds" or "weight_bytes" an operator for Model Explorer; see `tflite.inspection.overlay`."""
        return overlay(self, path, quantity)


def inspect(path: str | Path) -> Inspection:
    """Operators, types, sizes, quantization and delegate partitions of a TFLite file, and what to mend in it.

    The file is prepared to run, with XNNPACK, but not run.

    Raises:
        ModelError: missing, truncated or damaged file, or one of another kind.
    """
    content = read_model(path)
    return inspect_content(Path(path), content)


def inspect_content(path: Path, content: bytes) -> Inspection:
    """The same of the content of a file that may not be written yet."""
    interpreter = open_model(path, content=content)  # verifies the file
    inputs, outputs = ports(interpreter.get_input_details()), ports(interpreter.get_output_details())
    file = Flatbuffer(content)
    facts = Facts(file, partitions(interpreter, path))
    spent = costs(file, facts.delegated)
    return Inspection(
        path=path,
        bytes=len(content),
        parameters=file.parameters,
        weight_bytes_by_type=bytes_by_type(file),
        weight_bytes_by_operator=bytes_by_operator(file),
        arena_bytes=arena_bytes(file),
        multiply_adds=sum(cost.multiply_adds or 0 for cost in spent),
        inputs=inputs,
        outputs=outputs,
        operators=file.operators,
        costs=spent,
        float_operators=file.float_operators,
        partitions=facts.partitions,
        findings=findings(facts),
        metadata=metadata_or_none(content),
        signatures=tuple(signatures_of(file)),
        delegates=fits(facts),
        needs=needs(file),
        runtimes=runtimes(facts),
    )
