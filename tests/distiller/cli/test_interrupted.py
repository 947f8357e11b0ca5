"""What a command says when it is interrupted from the keyboard."""

import pytest
import typer.main

from distiller.cli import entry

COMMANDS = typer.main.get_command(entry.app).commands
# As their help tells.
WITH_RESUME = {name for name, one in COMMANDS.items() if any("--resume" in option.opts for option in one.params)}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_only_what_can_resume_says_so(command, monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    (one,) = (info for info in entry.app.registered_commands if info.name == command)
    monkeypatch.setattr(one, "callback", interrupted)
    monkeypatch.setattr("sys.argv", ["distiller", "--debug", command])
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert end.value.code == 130
    message = capsys.readouterr().err.strip()
    assert message.startswith("distiller: Interrupted")
    assert ("--resume" in message) == (command in WITH_RESUME)
