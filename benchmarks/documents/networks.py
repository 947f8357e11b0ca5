"""Table of networks as integer files."""

from collections import Counter
from typing import Any

from benchmarks.files.network_ways import ASKED, BATCH, IMAGES, STEPS, WAYS
from benchmarks.files.networks import NAME
from benchmarks.results import lines
from distiller.report.markdown_table import markdown_table

HEAD = ("network", "size", "way", "result", "float operators", "bytes", "accuracy", "agreement", "ms, one thread")
_WORDS = {"ai_edge_quantizer": "ai-edge-quantizer", "post_training": "converter, from images"}
_LONGEST = 160


def table() -> str:
    """One row per network and way, one sentence per way on how many were integer files, and the errors."""
    recorded = lines.read(lines.RESULTS / NAME)
    found = Counter((line["way"], result_kind(line)) for line in recorded)
    ways = [way for way in WAYS if any(line["way"] == way for line in recorded)]
    sentences = [
        f"- {way_in_words(way)}: {found[way, 'integer']} integer files, {found[way, 'float inside']} with operators in "
        f"floating point inside, {found[way, 'error']} errors."
        for way in ways
    ]
    errors = [
        f"- {line['network']}, {way_in_words(line['way'])}: {_shorten(line['error'])}"
        for line in recorded
        if "error" in line
    ]
    note = (
        f"Agreement: of {ASKED:,} held-out images, the file with the model that rounds as it does, or, where it is "
        "from images alone, with the model in floating point. Accuracy of the file on the same images, in percent, "
        f"and in points over the network in floating point. Ranges and batch statistics are those of {IMAGES} training "
        f"images. The networks are trained for {STEPS} steps of {BATCH} images and not on their quantization: far "
        "from what they can do, and the deepest still make a rounding larger from layer to layer. Images of CIFAR-10; "
        f"milliseconds of a run on {' and '.join(sorted({line['machine']['processor'] for line in recorded}))}."
    )
    return markdown_table(HEAD, [_row(line) for line in recorded], [*sentences, *errors, "", note], text=(0, 2, 3))


def result_kind(line: dict[str, Any]) -> str:
    """Result of converting a network.

    >>> result_kind({"error": "no"}), result_kind({"float_operators": 0}), result_kind({"float_operators": 2})
    ('error', 'integer', 'float inside')
    """
    if "error" in line:
        return "error"
    return "float inside" if line["float_operators"] else "integer"


def way_in_words(way: str) -> str:
    """Name of a way in words."""
    return _WORDS.get(way, f"{way} engine")


def _shorten(text: str) -> str:
    """Beginning of an error message, for a cell of a table or an item of a list."""
    text = " ".join(text.replace("|", "/").replace("<", "‹").replace(">", "›").split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    start = (line["network"], str(line["size"]), way_in_words(line["way"]), result_kind(line))
    if "error" in line:
        return (*start, *[""] * 5)
    return (
        *start,
        str(line["float_operators"]),
        f"{line['bytes']:,}",
        f"{100 * line['file_accuracy']:.1f} ({100 * (line['file_accuracy'] - line['accuracy']):+.1f})",
        f"{line['agreement']:.3f}",
        f"{line['latency_ms']['median']:.3f}",
    )
