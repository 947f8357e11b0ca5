"""The commands of the `distiller` program with their options, from the Typer application."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import typer.main
from typer.core import TyperArgument, TyperGroup

from distiller.cli import entry


def pages() -> Iterator[tuple[str, str]]:
    """The one page of commands: path and text."""
    group = typer.main.get_command(entry.app)
    assert isinstance(group, TyperGroup)
    parts = [
        "# Commands\n",
        f"{group.help}\n",
        "Every command takes `--debug`, which shows the traceback of an error.\n",
    ]
    parts += ["Exit codes: 0 done, 1 the work failed, 2 the call or its input is wrong.\n"]
    parts += [_command(name, command) for name, command in group.commands.items()]
    yield "reference/commands.md", "\n".join(parts)


def _command(name: str, command: Any) -> str:
    usage = f"distiller {name} {' '.join(_usage(one) for one in command.params)}".strip()
    lines = [f"## {name}\n", f"{inspect.cleandoc(command.help or '')}\n", f"```text\n{usage}\n```\n"]
    rows = [f"| {_name(one)} | {_text(_help(one))} | {_default(one)} |" for one in command.params if one.name != "help"]
    if rows:
        lines += ["| argument or option | meaning | default |", "| :--- | :--- | :--- |", *rows, ""]
    examples = _examples(command.epilog or "")
    if examples:
        lines += ["Examples:\n", f"```console\n{examples}\n```\n"]
    return "\n".join(lines)


def _usage(one: Any) -> str:
    if isinstance(one, TyperArgument):
        name = f"{_argument(one)}{'…' if one.nargs == -1 else ''}"
        return name if one.required else f"[{name}]"
    return f"{one.opts[0]} …" if one.required else ""


def _name(one: Any) -> str:
    if isinstance(one, TyperArgument):
        return f"`{_argument(one)}`"
    return ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))


def _argument(one: Any) -> str:
    return (one.metavar or one.name).upper()


def _help(one: Any) -> str:
    return getattr(one, "help", None) or ""


def _default(one: Any) -> str:
    if one.required:
        return "required"
    value = one.default() if callable(one.default) else one.default
    return "" if value is None or value is False or value == () else f"`{value}`"


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", _plain(text)).replace("|", "\\|").replace("<", "&lt;")


def _examples(epilog: str) -> str:
    lines = [_plain(line).rstrip() for line in epilog.splitlines()]
    return "\n".join(line for line in lines if line.startswith("distiller "))


def _plain(text: str) -> str:
    """Without the markup of the terminal."""
    return re.sub(r"\[/?(?:bold|dim|italic|cyan|green)\]", "", text)
