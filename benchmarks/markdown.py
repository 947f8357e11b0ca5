"""A table in Markdown, as all documents have it."""

from collections.abc import Collection, Sequence

Row = tuple[str, ...]


def markdown(head: Row, rows: Sequence[Row], below: Sequence[str] = (), *, text: Collection[int] = (0, 1)) -> str:
    """Lines of a table and those below it; the columns in `text` are aligned left, numbers right.

    >>> print(markdown(("file", "kB"), [("a", "33")], ["- One file."], text=(0,)))
    | file | kB |
    | :--- | ---: |
    | a | 33 |
    <BLANKLINE>
    - One file.
    """
    marks = tuple(":---" if i in text else "---:" for i in range(len(head)))
    lines = [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]
    return "\n".join([*lines, "", *below] if below else lines)
