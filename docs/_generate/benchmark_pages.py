"""The page of benchmarks: `benchmarks/README.md` and its figures, which are made from recorded results."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = ROOT / "benchmarks"


def pages() -> Iterator[tuple[str, str | bytes]]:
    """The page, path and text; its figures are copied beside it."""
    for figure in sorted((BENCHMARKS / "figures").glob("*.png")):
        yield f"figures/{figure.name}", figure.read_bytes()
    yield "benchmarks.md", (BENCHMARKS / "README.md").read_text().replace("(../README.md", "(index.md")
