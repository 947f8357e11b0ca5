"""A folder of our own on the phone, which the phone itself removes when we are gone, however we went.

A shell on the phone waits for a line from us that never comes. When the connection ends, because we are done, were
interrupted or killed, or because the cable was pulled, it ends the program that runs in the folder and removes it.
"""

import contextlib
import hashlib
import re
import secrets
import shlex
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tflite.android.adb import end
from tflite.android.device import Device
from tflite.benchmark_tool.lines import last_words
from tflite.errors import MeasurementError

TEMPORARY = "/data/local/tmp"
_SECONDS = 20.0
_CHECKSUMS = (("sha256sum", hashlib.sha256, 64), ("md5sum", hashlib.md5, 32))


class PhoneFolder:
    """A folder on a phone to run the tool in; a context manager.

    Args:
        device: the phone.
        mask: processor cores for the programs that run, as `taskset` takes them; None for all.
        tell: called with sentences for the person who waits.
    """

    def __init__(self, device: Device, *, mask: str | None = None, tell: Callable[[str], None] | None = None):
        self.device = device
        self.folder = f"{TEMPORARY}/tflite-{secrets.token_hex(6)}"
        self._prefix = [] if mask is None else ["taskset", mask]
        self._tell = tell or (lambda sentence: None)
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "PhoneFolder":
        self._keeper = self.device.adb.start("shell", self._keeping(), stdin=subprocess.PIPE)
        try:
            self._wait_until_ready(self._keeper)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is None:
            return
        removed = False
        try:
            # A line for a phone of before Android 7, the end of the input for the others.
            output, _ = self._keeper.communicate(b"\n", timeout=_SECONDS)
            removed = b"removed" in output
        except (subprocess.TimeoutExpired, OSError, ValueError):
            pass
        finally:
            end(self._keeper)
        if not removed:
            with contextlib.suppress(MeasurementError):
                removed = self.device.shell(self._removing(), seconds=_SECONDS)[0] == 0
        if not removed:
            self._tell(f"Could not remove {self.folder} from the phone: it did not answer")

    def path(self, name: str) -> str:
        """The path on the phone of a file of this name."""
        return f"{self.folder}/{name}"

    def send(self, local: Path, name: str, *, executable: bool = False) -> str:
        """Copy a file into the folder, and see that it arrived as it was; returns its path there.

        Raises:
            MeasurementError: there is no space, the copy differs, or the phone was lost.
        """
        path = self.path(name)
        self.device.push(local, path)
        self._verify(local.read_bytes(), local.name, "", path)
        if executable:
            self.device.checked(f"chmod 755 {shlex.quote(path)}")
        return path

    def send_all(self, local: Path, name: str) -> str:
        """Copy a folder of files into the folder, and see that their bytes arrived; returns its path there.

        Raises:
            MeasurementError: there is no space, a copy differs, or the phone was lost.
        """
        path = self.path(name)
        self.device.push(local, path)
        content = b"".join(file.read_bytes() for file in sorted(local.iterdir()))
        self._verify(content, local.name, f"cat {shlex.quote(path)}/* |")
        return path

    def run(self, arguments: list[str], *, seconds: float) -> tuple[int, str]:
        """Exit status and what was printed; a program that takes longer is ended on the phone."""
        program = shlex.join([*self._prefix, *arguments])
        # The numbers of the shell, whose group has all that it starts, and of the program: the phone knows whom to end.
        script = f"echo $$ >> {self.folder}/pid; cd {self.folder}; exec {program}"
        try:
            return self.device.shell(f"echo $$ > {self.folder}/pid; sh -c {shlex.quote(script)}", seconds=seconds)
        except MeasurementError as error:
            with contextlib.suppress(MeasurementError):
                self.device.shell(self._ending(), seconds=_SECONDS)
            raise MeasurementError(f"{error} (while {arguments[0].rsplit('/', 1)[-1]!r} was running)") from error

    def script(self, text: str, *, seconds: float) -> tuple[int, str]:
        """Exit status and what was printed by commands of our own, in the folder."""
        return self.run(["sh", "-c", text], seconds=seconds)

    def fetch(self, name: str) -> bytes | None:
        """The content of a file in the folder, or None where there is none."""
        return self.device.pull(self.path(name))

    def _verify(self, content: bytes, name: str, before: str, *paths: str) -> None:
        for program, algorithm, digits in _CHECKSUMS:
            status, output = self.device.shell(f"{before} {shlex.join([program, *paths])}", seconds=60)
            found = re.match(rf"\\?([0-9a-f]{{{digits}}})\b", output)
            if status == 0 and found:
                expected = algorithm(content).hexdigest()
                if found[1] != expected:
                    raise MeasurementError(
                        f"Expected the copy of {name!r} on the phone to be as the file, {program} {expected}. "
                        f"Received: {found[1]}"
                    )
                return
        self._tell(f"The phone has no checksum program: the copy of {name!r} is not verified")

    def _wait_until_ready(self, keeper: subprocess.Popen[bytes]) -> None:
        timer = threading.Timer(_SECONDS, end_quietly, [keeper])
        timer.start()
        try:
            line = b"" if keeper.stdout is None else keeper.stdout.readline()
        finally:
            timer.cancel()
        if line.strip() != b"ready":
            end_quietly(keeper)
            output, complaints = keeper.communicate()
            said = last_words((line + output + complaints).decode(errors="replace"))
            raise MeasurementError(
                f"Could not make the folder {self.folder} on the phone {self.device.serial!r}: {said}"
            )

    def _keeping(self) -> str:
        # Without a terminal nobody is told that the connection hung up; with one, the shell itself must not die of it.
        return (
            f"trap '' HUP PIPE INT TERM; umask 077; mkdir {self.folder} && echo ready && "
            f"{{ read line; {self._removing()}; echo removed; }}"
        )

    def _removing(self) -> str:
        return f"{self._ending()}; rm -rf {self.folder}"

    def _ending(self) -> str:
        """End what runs in the folder: a number in the list may have become another program's."""
        return (
            f"for p in $(cat {self.folder}/pid 2>/dev/null); do grep -q {self.folder} /proc/$p/cmdline 2>/dev/null && "
            "{ kill -9 -$p; kill -9 $p; } 2>/dev/null; done"
        )


def end_quietly(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, so that who reads from it gets its end."""
    with contextlib.suppress(OSError):
        process.kill()
