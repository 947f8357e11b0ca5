"""Layers that contract axes of a tensor with a kernel, and attention, written with `Dense` and products of tensors."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite.keras_graph.graph import Call, NewLayer, Value
from tflite.quantization.decompose_parts import Expansion, Rule, new_operation, shape_of

# In the order of `MultiHeadAttention.call`.
_ARGUMENTS = (
    *("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"),
    *("return_attention_scores", "training", "use_causal_mask"),
)


def product_rule(call: Call) -> Rule | None:
    """Rule for a layer of products; None for another, or for one that cannot be written with `Dense`."""
    import keras

    kind = call.kind
    if type(kind) is keras.layers.EinsumDense and _dense_form(call) is not None:
        return _einsum_dense
    if type(kind) is keras.layers.MultiHeadAttention and _attends_plainly(call):
        return _multi_head_attention
    if type(kind) is keras.layers.Attention and _is_plain_attention(call):
        return _attention
    return None


@dataclass(frozen=True)
class _DenseForm:
    """An equation as a `Dense` between moves of numbers: axes of the input, sizes, and axes of the output."""

    before: tuple[int, ...]
    kept: tuple[int, ...]
    contracted: tuple[int, ...]
    free: tuple[int, ...]
    after: tuple[int, ...]
    kernel: np.ndarray
    bias: np.ndarray | None


def _dense_form(call: Call) -> _DenseForm | None:
    """The form of an `EinsumDense`; None where its kernel shares an axis with both sides, or a bias is not by unit."""
    layer, (value,) = call.kind, call.inputs
    shape, result = shape_of(value), shape_of(call.output)
    given, kernel_axes, output = layer.equation.replace(" ", "").replace("->", ",").split(",")
    letters = iter(sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZ") - set(layer.equation)))
    if "..." in given:
        rest = "".join(next(letters) for _ in range(len(shape) - len(given) + 3))
        given, output = given.replace("...", rest), output.replace("...", rest)
    contracted = [axis for axis in kernel_axes if axis in given]
    free = [axis for axis in kernel_axes if axis not in given]
    kept = [axis for axis in given if axis not in contracted]
    plain = (
        len(set(given)) == len(given) == len(shape)
        and len(set(kernel_axes)) == len(kernel_axes)
        and sorted(output) == sorted([*kept, *free])
        and not set(contracted) & set(output)
        and kept[:1] == [given[0]] == [output[0]]
        and None not in (*shape[1:], *result[1:])
        and not getattr(layer, "lora_enabled", False)
    )
    if not plain or not free or not contracted or (len(kernel_axes) > 2 and layer.kernel_constraint is not None):
        return None
    weights = call.weights or []
    kernel = weights[0].transpose([kernel_axes.index(axis) for axis in (*contracted, *free)])
    sizes = dict(zip(kernel_axes, weights[0].shape, strict=True))
    bias = None
    if layer.bias_axes:
        if set(layer.bias_axes) != set(free):
            return None
        by_unit = [axis for axis in output if axis in free]
        bias = weights[1].reshape([sizes[axis] for axis in by_unit]).transpose([by_unit.index(axis) for axis in free])
        bias = bias.ravel()
    lengths = dict(zip(given, shape, strict=True))
    written = [*kept, *free]
    return _DenseForm(
        before=tuple(given.index(axis) for axis in (*kept, *contracted)),
        kept=tuple(int(lengths[axis] or 0) for axis in kept[1:]),
        contracted=tuple(sizes[axis] for axis in contracted),
        free=tuple(sizes[axis] for axis in free),
        after=tuple(written.index(axis) for axis in output),
        kernel=kernel.reshape(math.prod(sizes[axis] for axis in contracted), -1),
        bias=bias,
    )


def _einsum_dense(expansion: Expansion, call: Call) -> None:
    """Moves of numbers, `Dense`, and moves of numbers."""
    import keras

    layer, form = call.kind, _dense_form(call)
    assert form is not None
    dtype = layer.dtype_policy

    def dense(name: str) -> NewLayer:
        made = keras.layers.Dense(
            form.kernel.shape[1],
            use_bias=form.bias is not None,
            kernel_regularizer=layer.kernel_regularizer,
            bias_regularizer=layer.bias_regularizer,
            kernel_constraint=layer.kernel_constraint,
            bias_constraint=layer.bias_constraint,
            activity_regularizer=None,
            trainable=layer.trainable,
            dtype=dtype,
            name=name,
        )
        return NewLayer(made, [form.kernel] if form.bias is None else [form.kernel, form.bias])

    steps: list[tuple[str, Any, tuple[int | None, ...]]] = []
    shape = shape_of(call.inputs[0])
    if form.before != tuple(range(len(form.before))):
        shape = tuple(shape[axis] for axis in form.before)
        steps.append(("moved", _permute(form.before, dtype), shape))
    if len(form.contracted) > 1:
        shape = (shape[0], *form.kept, form.kernel.shape[0])
        steps.append(("merged", _reshape(shape[1:], dtype), shape))
    shape = (shape[0], *form.kept, form.kernel.shape[1])
    steps.append(("dense", dense, shape))
    if len(form.free) > 1:
        shape = (shape[0], *form.kept, *form.free)
        steps.append(("split", _reshape(shape[1:], dtype), shape))
    if form.after != tuple(range(len(form.after))):
        steps.append(("ordered", _permute(form.after, dtype), shape_of(call.output)))
    (value,) = call.inputs
    for place, (part, make, of) in enumerate(steps, start=1):
        last = place == len(steps)
        value = expansion.add(call, make, part, value, output=call.output if last else None, shape=of)


def _permute(axes: tuple[int, ...], dtype: Any) -> Any:
    import keras

    return lambda name: NewLayer(keras.layers.Permute(axes[1:], dtype=dtype, name=name))


def _reshape(shape: tuple[Any, ...], dtype: Any) -> Any:
    import keras

    return lambda name: NewLayer(keras.layers.Reshape(shape, dtype=dtype, name=name))


def _given(call: Call, names: tuple[str, ...]) -> dict[str, Any]:
    """Arguments of a call by name."""
    return {**dict(zip(names, call.args, strict=False)), **call.kwargs}


def _attends_plainly(call: Call) -> bool:
    """Return whether attention is along the one axis of a sequence, without masks, gates or its scores as output."""
    layer, given = call.kind, _given(call, _ARGUMENTS)
    config = layer.get_config()
    values = [given.get(name) for name in ("query", "value", "key")]
    return (
        not any(given.get(name) is not None for name in _ARGUMENTS[3:7])
        and not any(given.get(name) for name in ("return_attention_scores", "use_causal_mask"))
        and not config.get("use_gate")
        and config.get("sliding_window") is None
        and all(len(shape_of(value)) == 3 for value in values if value is not None)
        and len(shape_of(call.output)) == 3
    )


def _multi_head_attention(expansion: Expansion, call: Call) -> None:
    """Projections, scores of each head, their softmax, the averages that it weighs, and a projection."""
    layer, given = call.kind, _given(call, _ARGUMENTS)
    query, value = given["query"], given["value"]
    key = value if given.get("key") is None else given["key"]
    heads, size, depth = layer.num_heads, layer.key_dim, layer.value_dim
    step = 2 if layer.use_bias else 1
    weights = call.weights or []

    def project(inner: Any, place: int, source: Value, part: str, shape: tuple[Any, ...], output: Any = None) -> Value:
        def make(name: str) -> NewLayer:
            config = {**inner.get_config(), "name": name, "trainable": layer.trainable}
            return NewLayer(type(inner).from_config(config), weights[place * step : (place + 1) * step])

        found = expansion.add(call, make, part, source, output=output, shape=shape)
        expansion.expand_last()
        return found

    batch, length = shape_of(query)[:2]
    reach = shape_of(key)[1]
    queries = project(layer.query_dense, 0, query, "query", (batch, length, heads, size))
    keys = project(layer.key_dense, 1, key, "key", (batch, reach, heads, size))
    values = project(layer.value_dense, 2, value, "value", (batch, reach, heads, depth))
    queries = _scaled(expansion, call, queries, 1 / math.sqrt(size))
    dtype = layer.dtype_policy
    queries = expansion.add(
        call, _permute((0, 2, 1, 3), dtype), "query_heads", queries, shape=(batch, heads, length, size)
    )
    keys = expansion.add(call, _permute((0, 2, 3, 1), dtype), "key_heads", keys, shape=(batch, heads, size, reach))
    values = expansion.add(
        call, _permute((0, 2, 1, 3), dtype), "value_heads", values, shape=(batch, heads, reach, depth)
    )
    found = _weighed(expansion, call, queries, keys, values, layer.dropout)
    found = expansion.add(call, _permute((0, 2, 1, 3), dtype), "heads", found, shape=(batch, length, heads, depth))
    project(layer.output_dense, 3, found, "output", shape_of(call.output), output=call.output)


def _is_plain_attention(call: Call) -> bool:
    config, given = call.kind.get_config(), _given(call, ("inputs", "mask", "training", "return_attention_scores"))
    return (
        config.get("score_mode") == "dot"
        and not config.get("use_scale")
        and not given.get("return_attention_scores")
        and not given.get("use_causal_mask")
        and not any(one is not None for one in given.get("mask") or ())
        and all(len(shape_of(value)) == 3 for value in call.inputs)
    )


def _attention(expansion: Expansion, call: Call) -> None:
    """Scores, their softmax, and the averages that it weighs."""
    query, value, *rest = call.inputs
    key = rest[0] if rest else value
    batch, reach, size = shape_of(key)
    turned = _permute((0, 2, 1), call.kind.dtype_policy)
    keys = expansion.add(call, turned, "key", key, shape=(batch, size, reach))
    _weighed(expansion, call, query, keys, value, call.kind.get_config()["dropout"], output=call.output)


def _weighed(
    expansion: Expansion,
    call: Call,
    queries: Value,
    keys: Value,
    values: Value,
    dropout: float,
    output: Value | None = None,
) -> Value:
    """softmax(Q·K)·V along the last axes; keys are transposed already."""
    import keras

    dtype = call.kind.dtype_policy
    scores_shape = (*shape_of(queries)[:-1], shape_of(keys)[-1])
    product = new_operation(lambda x: keras.ops.matmul(x, x), (1, 1))
    scores = expansion.add(call, product, "scores", queries, keys, shape=scores_shape)

    def softmax(name: str) -> NewLayer:
        return NewLayer(keras.layers.Activation("softmax", dtype=dtype, name=name))

    shares = expansion.add(call, softmax, "softmax", scores, shape=scores_shape)
    if dropout:

        def dropped(name: str) -> NewLayer:
            return NewLayer(keras.layers.Dropout(dropout, dtype=dtype, name=name))

        shares = expansion.add(call, dropped, "dropout", shares, shape=scores_shape)
    shape = (*scores_shape[:-1], shape_of(values)[-1])
    if output is None:
        return expansion.add(call, product, "average", shares, values, shape=shape)
    average = expansion.add(call, product, "average", shares, values, shape=shape)
    # Who knows the layer by its name finds one.
    return expansion.add(
        call,
        lambda name: NewLayer(keras.layers.Identity(dtype=call.output.symbol.dtype, name=name)),
        "whole",
        average,
        output=output,
    )


def _scaled(expansion: Expansion, call: Call, value: Value, number: float) -> Value:
    import keras

    if expansion.bits == 16:  # products of 16 bits have two tensors alone
        dtype = call.output.symbol.dtype
        make: Any = lambda name: NewLayer(keras.layers.Rescaling(number, dtype=dtype, name=name))  # noqa: E731
        return expansion.add(call, make, "scaled", value, shape=shape_of(value))
    return expansion.add(call, new_operation(lambda x: x * 2.0), "scaled", value, number, shape=shape_of(value))
