"""A run's results for a reader: a table, figures, two sentences, and one page that holds them all."""

from distiller.report.conclusions import verdict
from distiller.report.content import Report, read
from distiller.report.page import render, write
from distiller.report.table import Row, markdown, rich_table, rows

__all__ = ["Report", "Row", "markdown", "read", "render", "rich_table", "rows", "verdict", "write"]
