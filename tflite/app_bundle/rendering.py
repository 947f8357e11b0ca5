"""The files of an application, as text and bytes by their place, from the templates."""

import hashlib
import re
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from tflite.app_bundle.contract import Contract
from tflite.app_bundle.micro_operators import registrations
from tflite.app_bundle.test_images import TestImage

PLATFORMS = ("android", "ios", "microcontroller")

Files = dict[str, bytes]

# Bytes for the records and the scratch memory of TensorFlow Lite for Microcontrollers, beside the activations.
_RECORDS = 16 * 1024
# Kernels of a phone may round an integer output otherwise by this many steps; real numbers differ by this share of
# the largest score.
_STEPS, _SHARE = 2, 1e-3
_C_TYPES = {"float32": "float", "uint8": "std::uint8_t", "int8": "std::int8_t"}
_BYTES_OF_A_LINE = 16


def render(
    contract: Contract,
    images: tuple[TestImage, ...],
    *,
    stem: str,
    class_name: str,
    package: str,
    platforms: tuple[str, ...],
) -> Files:
    """Every file of a bundle, by its path in the bundle's folder."""
    environment = Environment(
        loader=PackageLoader("tflite.app_bundle"),
        undefined=StrictUndefined,
        autoescape=False,  # code, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    values = _values(contract, images) | {
        "stem": stem,
        "class_name": class_name,
        "package": package,
        "platforms": platforms,
        "file_name": f"{stem}.tflite",
    }

    def text(template: str, **more: Any) -> bytes:
        return environment.get_template(f"{template}.jinja").render(**values, **more).encode()

    model = {f"{stem}.tflite": contract.content, f"{stem}_labels.txt": "\n".join(contract.labels).encode() + b"\n"}
    files = {"README.md": text("README.md")}
    if "android" in platforms:
        source, test = "android/app/src/main", "android/app/src/androidTest"
        place = package.replace(".", "/")
        files |= {f"{source}/assets/{name}": content for name, content in model.items()}
        files[f"{source}/java/{place}/{class_name}.kt"] = text("classifier.kt")
        files[f"{test}/java/{place}/{class_name}Test.kt"] = text("classifier_test.kt")
        for image in images:
            files[f"{test}/assets/{stem}_{image.name}.png"] = image.png()
            scores = "".join(f"{score!r}\n" for score in map(float, image.scores))
            files[f"{test}/assets/{stem}_{image.name}.txt"] = scores.encode()
    if "ios" in platforms:
        files |= {f"ios/{name}": content for name, content in model.items()}
        files[f"ios/{class_name}.swift"] = text("classifier.swift")
    if "microcontroller" in platforms:
        added = registrations(contract.path, contract.operators)
        place = f"microcontroller/{stem}_model"
        files[f"{place}.h"] = text(
            "model.h",
            guard=f"{stem.upper()}_MODEL_H_",
            registrations=added,
            arena=-(-(contract.inspection.arena_bytes + _RECORDS) // 1024) * 1024,
            input_type=_C_TYPES[contract.input.dtype],
            output_type=_C_TYPES[contract.output.dtype],
        )
        files[f"{place}.cc"] = text(
            "model.cc", lines=_array_lines(contract.content), literals=[_literal(label) for label in contract.labels]
        )
    return files


def _values(contract: Contract, images: tuple[TestImage, ...]) -> dict[str, Any]:
    """Values for the templates of all platforms."""
    limits = None if contract.input.dtype == "float32" else np.iinfo(contract.input.dtype)
    tolerance, reason = _tolerance(contract, images)
    return {
        "contract": contract,
        "sha256": hashlib.sha256(contract.content).hexdigest(),
        "images": ", ".join(f'"{image.name}"' for image in images),
        "tolerance": repr(tolerance),
        "tolerance_reason": reason,
        "input_scale": repr(contract.input.scale or 1.0),
        "input_zero_point": repr(float(contract.input.zero_point or 0)),
        "output_scale": repr(contract.output.scale or 1.0),
        "output_zero_point": contract.output.zero_point or 0,
        "input_bytes": np.dtype(contract.input.dtype).itemsize,
        "output_bytes": np.dtype(contract.output.dtype).itemsize,
        "put": "putFloat" if limits is None else "put",
        "lowest": limits and limits.min,
        "highest": limits and limits.max,
    }


def _tolerance(contract: Contract, images: tuple[TestImage, ...]) -> tuple[float, str]:
    """Tolerance between a phone's scores and those of the interpreter here, and the reason."""
    largest = max(float(np.abs(image.scores).max()) for image in images)
    if contract.output.quantized:
        step = float(contract.output.scale or 1.0)
        return _STEPS * step, f"Other kernels round otherwise: {_STEPS} steps of the output are allowed"
    share = _SHARE if contract.inspection.float_operators else 0.02
    return share * max(largest, 1e-6), f"Other kernels round otherwise: {share:.1%} of the largest score is allowed"


def _array_lines(content: bytes) -> list[str]:
    starts = range(0, len(content), _BYTES_OF_A_LINE)
    return [", ".join(f"0x{byte:02x}" for byte in content[i : i + _BYTES_OF_A_LINE]) for i in starts]


def _literal(label: str) -> str:
    """A string literal of C.

    >>> print(_literal('a "b"'), _literal("é?"))
    "a \\"b\\"" "\\303\\251\\077"
    """
    plain = re.compile(r"[A-Za-z0-9 _.,:;()+*/=<>!&%#'~^-]")
    letters = (chr(byte) if byte < 128 else "" for byte in label.encode())
    escaped = (
        letter if letter and plain.match(letter) else '\\"' if letter == '"' else f"\\{byte:03o}"
        for letter, byte in zip(letters, label.encode(), strict=True)
    )
    return f'"{"".join(escaped)}"'
