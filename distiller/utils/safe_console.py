"""A console whose own colours a terminal obeys, and nothing that stands in the text."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from distiller.utils.terminal import printable


class SafeConsole(Console):
    """Rich's console with every text made safe by `terminal.printable`."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Called by Rich for every plain string, also where it is measured."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Called by Rich for everything."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
