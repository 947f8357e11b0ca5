"""Tables in GitHub's Markdown, for reports and for the documents of the benchmarks.

Written here and not taken from `tabulate`, which pads every cell to the width of its column: one changed number would
change every line of a table that is kept under version control.
"""

from collections.abc import Collection, Sequence

Row = tuple[str, ...]


def markdown_table(head: Row, rows: Sequence[Row], below: Sequence[str] = (), *, text: Collection[int] = (0, 1)) -> str:
    """Table with `head` and `rows`, a blank line, and the lines `below`.

    Args:
        head: headings.
        rows: cells, which are Markdown: nothing is escaped.
        below: lines after the table.
        text: columns that are aligned left; all others hold numbers and are aligned right.

    >>> print(markdown_table(("file", "kB"), [("a", "33")], ["- One file."], text=(0,)))
    | file | kB |
    | :--- | ---: |
    | a | 33 |
    <BLANKLINE>
    - One file.
    """
    marks = tuple(":---" if i in text else "---:" for i in range(len(head)))
    lines = [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]
    return "\n".join([*lines, "", *below] if below else lines)
