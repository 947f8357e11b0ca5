"""Findings on what the XNNPACK delegate takes."""

from tflite.inspection.finding import Facts, Finding, names, places


def not_runnable(facts: Facts) -> Finding | None:
    """The interpreter cannot prepare the file."""
    if facts.partitions is not None:
        return None
    custom = [operator for operator in facts.file.operators if operator.custom]
    return Finding(
        "not_runnable",
        places(custom),
        f"The interpreter cannot run this file ({names(custom) or 'its tensors do not fit its operators'})",
        "Convert with standard operators alone: custom and Flex operators need a runtime that is built with them",
    )


def partitions(facts: Facts) -> Finding | None:
    """More than one partition: tensors are handed to and fro."""
    found = facts.partitions or ()
    if len(found) < 2:
        return None
    starts = [facts.file.operators[partition[0]] for partition in found]
    return Finding(
        "partitions",
        places(starts),
        f"XNNPACK takes the graph in {len(found)} parts; every border copies tensors and waits",
        "Replace the operators between the parts, which are those that fall back",
    )


def fallback(facts: Facts) -> Finding | None:
    """Operators that XNNPACK leaves to the slower kernels of the interpreter."""
    if facts.partitions is None:
        return None
    left = [
        operator
        for operator in facts.file.operators
        if operator.index not in facts.delegated and not facts.file.is_interface(operator)
    ]
    if not left:
        return None
    return Finding(
        "fallback",
        places(left),
        f"XNNPACK does not take {names(left)}; the interpreter's own kernels run them",
        "Use an operator or a type that XNNPACK has a kernel for, or measure that these take little of the time",
    )
