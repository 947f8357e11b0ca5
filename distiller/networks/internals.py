"""Private names of Keras: the only module of `distiller` that uses any, each with the reason.

Everything is a small function, so that a change in Keras is mended here and nowhere else.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras


def flatten_layers(layer: keras.Layer, *, include_self: bool = True) -> list[keras.Layer]:
    """A layer or network and every layer inside it, at any depth, each once.

    `keras.Model.layers` was tried: it names only the layers one level down, only of models, and so misses those inside
    wrappers (`Bidirectional`), inside layers that hold others, and inside models that were subclassed.
    """
    return list(layer._flatten_layers(include_self=include_self))


def made_by(tensor: keras.KerasTensor) -> tuple[Any, Any, int]:
    """The operation that makes a symbolic tensor, the node of its call, and the place among what that call gives.

    `operation.output` was tried: it gives that of the first call alone, and not which call made a tensor.
    """
    history = tensor._keras_history
    return history.operation, history.operation._inbound_nodes[history.node_index], history.tensor_index


def calls(layer: keras.Operation) -> list[Any]:
    """The nodes of all calls of a layer or operation on symbolic tensors, in the order in which they were made.

    `layer.input` and `layer.output` were tried: they give those of the first call alone.
    """
    return list(layer._inbound_nodes)


def calls_in(model: keras.Model, layer: keras.Operation) -> list[Any]:
    """The nodes of a functional or Sequential model's own graph at which it calls a layer.

    `model.operations` was tried: it tells that the layer is called, and not at which of its calls.
    """
    own = {id(node) for node in calls_in_order(model)}
    return [node for node in calls(layer) if id(node) in own]


def calls_in_order(model: keras.Model) -> list[Any]:
    """The nodes of a functional or Sequential model's own graph, each after those whose outputs it takes.

    `model.operations` was tried: it names a layer once, however often it is called.
    """
    return [node for _, nodes in sorted(_graph(model)._nodes_by_depth.items(), reverse=True) for node in nodes]


def run_through_graph(model: keras.Model, fed: Any, operation_fn: Callable[[Any], Callable[..., Any]]) -> Any:
    """Carry `fed` through the graph of a functional or Sequential model, each call by what `operation_fn` makes of it.

    `keras.models.clone_model(call_function=…)` was tried: it calls the layers once more, whose nodes stay on them.
    """
    return _graph(model)._run_through_graph(fed, operation_fn=operation_fn)


def own_variables(layer: keras.Layer) -> list[keras.Variable]:
    """The variables that a layer holds itself, and not those of the layers inside it.

    `layer.variables` was tried: it gives those of all layers inside as well, also for a layer that holds none.
    """
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def trained_by(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The variables that an optimizer was built for, in their order.

    `optimizer.variables` was tried: it holds the optimizer's own slots, and not the variables that it moves.
    """
    return optimizer._trainable_variables


def index_in(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """The place of a variable among those that an optimizer was built for, in a step as well.

    The identity of the variable was tried: on TensorFlow a step is given the backend's variable in its stead.
    """
    return optimizer._get_variable_index(variable)


def accumulate_in(optimizer: keras.optimizers.Optimizer, accumulators: list[keras.Variable]) -> None:
    """Let an optimizer that accumulates gradients sum them up in these variables.

    `gradient_accumulation_steps` was tried: for it Keras makes accumulators of the variables' shapes alone.
    """
    optimizer._accumulated_gradients = accumulators


def start_fit_at(model: keras.Model, epoch: int) -> None:
    """Let the `fit` that has just begun go on at an epoch; to be called by a callback in `on_train_begin`.

    `fit(initial_epoch=…)` was tried: it has to be known before `fit`, and so before the callback has read a file.
    `keras.callbacks.BackupAndRestore` sets the same attribute.
    """
    model._initial_epoch = epoch


@contextmanager
def names_from_one() -> Iterator[None]:
    """Number layers without a name of their own (`dense`, `dense_1`) as in a process that has made none before.

    Keras counts on: the same code would give other names for each seed, and a layer could not be named in a recipe.
    What is made afterwards is numbered beyond both. There is a public way to count on, and none to begin anew.
    """
    from keras.src.backend.common import global_state

    def counts() -> dict[str, int]:
        return dict(global_state.get_global_attribute("object_name_uids") or {})

    before = counts()
    global_state.set_global_attribute("object_name_uids", defaultdict(int))
    try:
        yield
    finally:
        after = counts()
        largest = {name: max(before.get(name, 0), after.get(name, 0)) for name in {*before, *after}}
        global_state.set_global_attribute("object_name_uids", defaultdict(int, largest))


def options_of_loss(loss: Any) -> dict[str, Any]:
    """The arguments of the function that a loss of Keras wraps, such as `from_logits`; none of any other loss.

    `loss.get_config()` was tried: it serializes the function too, and a subclass with one of its own leaves them out.
    """
    return dict(getattr(loss, "_fn_kwargs", {}))


def peek(epochs: Any) -> Any:
    """The first batch of a stream, an iterator over epochs of Keras's, which gives it again; None of others.

    Arrays and a `PyDataset` are asked by number, and use nothing up. `itertools.chain` around what the user passed was
    tried: `fit` recognizes a `tf.data.Dataset` or a generator by its type, and what stands for it would be neither.
    """
    if type(epochs.data_adapter).__name__ in ("ArrayDataAdapter", "PyDatasetAdapter"):
        return None
    batches, own = iter(epochs._get_iterator()), epochs._get_iterator
    first = next(batches, None)
    if first is None:
        return None

    def again() -> Iterator[Any]:
        epochs._get_iterator = own
        return itertools.chain([first], batches)

    epochs._get_iterator = again
    return first


class BeforeSymbolicBuild:
    """A mixin, before `keras.Model` in the order of classes: Keras shows it the first batch before it makes metrics.

    On JAX only. `on_train_batch_begin` was tried: Keras has taken the batch from the iterator by then, and has the
    values of the variables out of them. A `train_step` of one's own sees tracers.
    """

    def before_symbolic_build(self, iterator: Iterator[Any] | None, batch: Any) -> Any:
        """The batch whose shapes loss and metrics are built on; None lets Keras take one from `iterator`."""
        return batch

    def _symbolic_build(self: Any, iterator: Any = None, data_batch: Any = None) -> None:
        data_batch = self.before_symbolic_build(iterator, data_batch)
        super()._symbolic_build(iterator, data_batch)  # type: ignore[misc]


def _graph(model: keras.Model) -> Any:
    """The functional model of a graph: a Sequential model keeps one, and each `add` makes it anew."""
    return model._functional if isinstance(model, keras.Sequential) else model
