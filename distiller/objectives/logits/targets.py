"""Target classes of samples as masks, from labels of every kind."""

from keras import ops

from distiller.errors import InputError

# A log-probability of classes that are left out: its exp is 0, and unlike −inf it has finite differences.
NOWHERE = -1e9


def likeliest(log_p):
    """Mask of the teacher's most likely class, bool (batch, classes); of several the first."""
    return ops.equal(ops.arange(log_p.shape[-1]), ops.cast(ops.argmax(log_p, axis=-1, keepdims=True), "int32"))


def all_targets(labels, log_p):
    """Mask of the target classes, bool (batch, classes): of soft labels every class above 1 / classes.

    Where the labels name none, it is the teacher's most likely class.

    Raises:
        InputError: the labels are neither classes (batch,) nor probabilities (batch, classes).
    """
    classes = log_p.shape[-1]
    if labels is None:
        return likeliest(log_p)
    labels = ops.convert_to_tensor(labels)
    shape = tuple(labels.shape)
    if len(shape) == 2 and shape[-1] == classes:
        named = ops.cast(labels, "float32") > 1 / classes
    elif len(shape) == 1 or (len(shape) == 2 and shape[-1] == 1):
        named = ops.equal(ops.arange(classes), ops.cast(ops.reshape(labels, (-1, 1)), "int32"))
    else:
        raise InputError(f"Expected labels of shape (batch,) or (batch, {classes}). Received: labels of shape {shape}")
    return ops.where(ops.any(named, axis=-1, keepdims=True), named, likeliest(log_p))


def one_target(labels, log_p):
    """Mask of one target class per sample: as `all_targets`, and of soft labels the most probable of them alone."""
    named = all_targets(labels, log_p)
    if labels is None:
        return named
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) != 2 or labels.shape[-1] != log_p.shape[-1]:
        return named
    return likeliest(ops.where(named, ops.cast(labels, "float32"), -float("inf")))
