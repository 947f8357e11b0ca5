"""One phone: commands in its shell, files to it and from it."""

import os
import re
import secrets
import tempfile
from pathlib import Path

from tflite.android.adb import Adb, choose
from tflite.benchmark_tool.lines import last_words, printable
from tflite.errors import MeasurementError

_SHORT = 30.0
# Wireless debugging moves a megabyte a second at worst.
_SECONDS_A_BYTE = 1e-6


class Device:
    """A phone that is ready: the one of this serial number, or of ANDROID_SERIAL, or the only one.

    Commands are text for the phone's shell; whatever is not this package's own goes through `shlex` before.

    Raises:
        ModelError: several phones and none is named, or the named one is not there.
        MeasurementError: no adb, no phone, or one that is not ready.
    """

    def __init__(self, serial: str | None = None):
        adb = Adb()
        self.serial = choose(adb.devices(), os.environ.get("ANDROID_SERIAL") if serial is None else serial)
        self.adb = Adb(self.serial, program=adb.program)

    def shell(self, command: str, *, seconds: float = _SHORT) -> tuple[int, str]:
        """Exit status and output, both streams together, of a command of the phone's shell.

        The status comes back as a line of the output: a phone of before Android 7 has no other way.

        Raises:
            MeasurementError: it took longer, or the phone was lost before it ended.
        """
        mark = f"__rc_{secrets.token_hex(4)}="
        _, output, complaints = self.adb.call("shell", with_status(command, mark), seconds=seconds)
        text = output.decode(errors="replace").replace("\r\n", "\n")
        found = re.search(rf"\n{mark}([0-9]+)\n*\Z", text)
        if found is None:
            raise MeasurementError(f"The phone {self.serial!r} was lost: {self._state(complaints)}")
        return int(found[1]), text[: found.start()]

    def checked(self, command: str, *, seconds: float = _SHORT) -> str:
        """The output of a command that succeeds.

        Raises:
            MeasurementError: it failed.
        """
        status, output = self.shell(command, seconds=seconds)
        if status:
            raise MeasurementError(f"The phone {self.serial!r} could not `{command}`: {last_words(output)}")
        return output

    def push(self, local: Path, remote: str) -> None:
        """Copy a file, or a folder of files, to the phone.

        Raises:
            MeasurementError: there is no space, the phone was lost, or it refused.
        """
        seconds = _SHORT + _SECONDS_A_BYTE * _bytes(local)
        status, output, complaints = self.adb.call("push", str(local.absolute()), remote, seconds=seconds)
        if status:
            reason = _last_line(output.decode(errors="replace"), complaints)
            if "No space left" in reason:
                reason = "there is no space left on the phone"
            raise MeasurementError(f"Could not copy {local.name!r} to the phone {self.serial!r}: {reason}")

    def pull(self, remote: str, *, seconds: float = _SHORT) -> bytes | None:
        """The content of a file of the phone; None where there is none.

        Raises:
            MeasurementError: the phone was lost, or it refused.
        """
        with tempfile.TemporaryDirectory(prefix="adb-pull-") as folder:
            path = Path(folder) / "file"
            status, output, complaints = self.adb.call("pull", remote, str(path), seconds=seconds)
            if status == 0:
                return path.read_bytes()
        reason = _last_line(output.decode(errors="replace"), complaints)
        if re.search(r"does not exist|No such file", reason):
            return None
        raise MeasurementError(f"Could not copy {remote!r} from the phone {self.serial!r}: {reason}")

    def _state(self, complaints: str) -> str:
        """Reason why it does not answer, as far as adb knows."""
        if complaints:
            return printable(complaints.splitlines()[-1].removeprefix("error: "))
        state = Adb(program=self.adb.program).devices().get(self.serial, "not connected any more")
        return "the connection ended before the command did" if state == "device" else state


def with_status(command: str, mark: str) -> str:
    """The command with its errors among its output and its exit status at the end, behind the mark.

    >>> with_status("ls", "__rc=")
    '( ls ) 2>&1; echo "\\n__rc=$?"'
    """
    return f'( {command} ) 2>&1; echo "\n{mark}$?"'


def _bytes(local: Path) -> int:
    return sum(path.stat().st_size for path in local.iterdir()) if local.is_dir() else local.stat().st_size


def _last_line(output: str, complaints: str) -> str:
    """Last line of adb's complaint: newer clients print it on the error stream, older ones on the other."""
    lines = (complaints or output).splitlines()
    errors = [line for line in lines if "error" in line] or lines or ["no reason"]
    return printable(errors[-1 if complaints else 0].removeprefix("adb: ").removeprefix("error: ").strip())
