"""Needs of a file that not every runtime meets, and the runtimes that open it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tflite.inspection import micro_list
from tflite.inspection.finding import Facts, names
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator
from tflite.utils.record import Record

FLEX = "Flex"
_VARIABLES = frozenset({"ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE"})
_CONTROL = frozenset({"CALL", "CALL_ONCE", "IF", "STABLEHLO_COMPOSITE", "WHILE"})


@dataclass(frozen=True)
class Need(Record):
    """Something in a file that a runtime has to know: `kind` for machines, then in words."""

    kind: str
    what: str


@dataclass(frozen=True)
class Runtime(Record):
    """A runtime and whether it opens a file, None where neither a list nor a trial tells; why, and the source of it."""

    name: str
    opens: bool | None
    why: str
    source: str


def needs(file: Flatbuffer) -> tuple[Need, ...]:
    """Needs of a file, of all its subgraphs; none for one of standard operators and plain weights."""
    return tuple(Need(kind, what) for kind, tell in _NEEDS for what in tell(file))


def runtimes(facts: Facts) -> tuple[Runtime, ...]:
    """The runtimes that this package knows of, and whether they open a file."""
    return (_interpreter(facts), _with_flex(facts), _javascript(facts), _micro(facts))


def _operators(file: Flatbuffer) -> tuple[Operator, ...]:
    return tuple(operator for graph in file.subgraphs for operator in graph.operators)


def _custom(file: Flatbuffer) -> tuple[list[Operator], list[Operator]]:
    """Operators of TensorFlow, and all other custom ones."""
    custom = [operator for operator in _operators(file) if operator.custom]
    flex = [operator for operator in custom if operator.name.startswith(FLEX)]
    return flex, [operator for operator in custom if operator not in flex]


def _flex(file: Flatbuffer) -> Iterator[str]:
    if found := _custom(file)[0]:
        yield f"{names(found)}: operators of TensorFlow, which a runtime with the Flex delegate runs"


def _others(file: Flatbuffer) -> Iterator[str]:
    if found := _custom(file)[1]:
        yield f"{names(found)}: custom operators, which the application registers"


def _variables(file: Flatbuffer) -> Iterator[str]:
    if found := [operator for operator in _operators(file) if operator.name in _VARIABLES]:
        yield f"{names(found)}: resource variables, which keep a state from one run to the next"


def _subgraphs(file: Flatbuffer) -> Iterator[str]:
    count = len(file.subgraphs)
    if count < 2:
        return
    if calls := [operator for operator in _operators(file) if operator.name in _CONTROL]:
        yield f"{count} subgraphs, which {names(calls)} run"
    else:
        yield f"{count} subgraphs for {len(file.signatures)} signatures: an application names the one that it calls"


def _sparse(file: Flatbuffer) -> Iterator[str]:
    if found := [tensor for graph in file.subgraphs for tensor in graph.sparse]:
        yield f"{len(found)} weights are stored sparse, and unpacked before the first run"


def _hybrid(file: Flatbuffer) -> Iterator[str]:
    if found := [operator for operator in _operators(file) if micro_list.is_hybrid(operator)]:
        yield f"{names(found)}: integer weights beside floating-point activations (dynamic range)"


def _blocks(file: Flatbuffer) -> Iterator[str]:
    held = [tensor for graph in file.subgraphs for tensor in graph.tensors]
    if found := [tensor for tensor in held if tensor.block_size]:
        yield f"{len(found)} weights have a scale a block of numbers, which few kernels know"


def _external(file: Flatbuffer) -> Iterator[str]:
    if found := file.external_buffers:
        yield f"{found} tensors keep their numbers in another file, which goes with this one"
    if found := file.buffers_behind:
        yield f"{found} buffers lie behind the flatbuffer, where older runtimes do not look"


_NEEDS: tuple[tuple[str, Callable[[Flatbuffer], Iterator[str]]], ...] = (
    ("flex", _flex),
    ("custom", _others),
    ("variables", _variables),
    ("subgraphs", _subgraphs),
    ("sparse", _sparse),
    ("hybrid", _hybrid),
    ("blocks", _blocks),
    ("external", _external),
)


def _interpreter(facts: Facts) -> Runtime:
    source = "https://ai.google.dev/edge/litert"
    name = "LiteRT and TensorFlow Lite, standard build"
    if facts.file.external_buffers:
        return Runtime(name, False, "the interpreter does not read numbers of another file", source)
    if facts.partitions is not None:
        return Runtime(name, True, "prepared on this machine", source)
    flex, others = _custom(facts.file)
    return Runtime(
        name,
        False,
        f"cannot be prepared on this machine: {names([*flex, *others]) or 'its tensors do not fit'}",
        source,
    )


def _with_flex(facts: Facts) -> Runtime:
    source = "https://ai.google.dev/edge/litert/models/ops_select"
    name = "TensorFlow Lite with the Flex delegate (select TensorFlow operators)"
    flex, others = _custom(facts.file)
    if facts.file.external_buffers:
        return Runtime(name, False, "the interpreter does not read numbers of another file", source)
    if others and facts.partitions is None:
        return Runtime(name, None, f"depends on who registers {names(others)}", source)
    if flex or facts.partitions is not None:
        return Runtime(name, True, f"runs {names(flex)}" if flex else "no operator needs it", source)
    return Runtime(name, None, "not known", source)


def _javascript(facts: Facts) -> Runtime:
    source = "https://ai.google.dev/edge/litert/web"
    name = "LiteRT.js, in a browser"
    file = facts.file
    flex, others = _custom(file)
    if flex or others:
        return Runtime(name, False, f"it lacks {names([*flex, *others])}", source)
    taken = {"float32", "int32", "uint8"}
    if file.external_buffers:
        return Runtime(name, None, "whether it reads numbers of another file is not known", source)
    border = {tensor.dtype for tensor in (*file.inputs, *file.outputs)} - taken
    if border:
        received = ", ".join(sorted(border))
        return Runtime(name, False, f"inputs and outputs are float32, int32 or uint8 there, here {received}", source)
    return Runtime(name, facts.partitions is not None or None, "inputs and outputs of types that it takes", source)


def _micro(facts: Facts) -> Runtime:
    name = "TensorFlow Lite for Microcontrollers"
    file, operators = facts.file, _operators(facts.file)
    missing = [operator for operator in operators if operator.custom or operator.name not in micro_list.OPERATORS]
    if missing:
        return Runtime(name, False, f"not in its list: {names(missing)}", micro_list.SOURCE)
    if hybrid := [operator for operator in operators if micro_list.is_hybrid(operator)]:
        return Runtime(name, False, f"it refuses the weights of {names(hybrid)}", micro_list.SOURCE)
    if file.external_buffers or file.buffers_behind:
        return Runtime(name, False, "it reads the buffers of the flatbuffer alone", micro_list.SOURCE)
    return Runtime(name, True, "all operators are in its list", micro_list.SOURCE)
