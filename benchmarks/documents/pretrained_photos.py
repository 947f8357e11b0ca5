"""Table of the photos on which a pretrained teacher teaches a pretrained student."""

from benchmarks.documents import small_photos

NAME = "pretrained_photos"


def table() -> str:
    """One row per student, in percent, and a sentence."""
    return small_photos.table_of(NAME)
