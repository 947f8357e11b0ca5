"""Place of the tool, this machine or a phone: a folder of its own there, commands, and files that come back."""

from typing import Protocol


class Place(Protocol):
    """A folder somewhere, in which the tool can be run."""

    def path(self, name: str) -> str:
        """The path there of a file of this name."""

    def run(self, arguments: list[str], *, seconds: float) -> tuple[int, str]:
        """Run a program until it ends: its exit status and all that it printed.

        Raises:
            MeasurementError: it took longer, or the way to the place was lost; the program is ended in both cases.
        """

    def fetch(self, name: str) -> bytes | None:
        """The content of a file there, or None where there is none."""
