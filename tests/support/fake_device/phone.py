"""A phone that is a folder: its commands are this machine's, or scripts in the folder, and its paths lie in it."""

import contextlib
import os
import shlex
import signal
import struct
import subprocess
import threading
import time
from pathlib import Path

from support.fake_device import sync
from support.fake_device.adbd import Listener

# What the phone has for itself; every other path is this machine's.
OWN = ("/data/local/tmp", "/sys/devices/system/cpu", "/proc/cpuinfo")

PROPERTIES = {
    "ro.product.manufacturer": "Fake & Sons",
    "ro.product.model": "Phone 'One'",
    "ro.soc.manufacturer": "Acme",
    "ro.soc.model": "AC9000",
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a,armeabi",
}
KILOHERTZ = (1800000, 1800000, 2800000, 2800000)


class Phone:
    """A phone to connect to; change its attributes to break it.

    Attributes:
        state: "device", "unauthorized", or "offline" for one that does not answer.
        features: with "shell_v2" a command's exit status comes back, without it is lost.
        space: the largest file, in bytes, that finds place.
        spoil: what becomes of the bytes of a file on the way.
        unplug_at: a text; the command that contains it is the last before the cable is pulled.
        temperatures: tenths of a degree that the battery has, one after the other; the last stays.
        missing: names of commands that the phone does not have.
        furnished: names of files that are there and stay.
    """

    def __init__(self, folder):
        self.root = Path(folder)
        self.state, self.features = "device", ["shell_v2", "cmd", "stat_v2"]
        self.space, self.spoil = 1 << 40, lambda content: content
        self.unplug_at, self.temperatures, self.missing = None, [302], set()
        self.properties = dict(PROPERTIES)
        self.commands, self.pushed, self.processes = [], [], []
        self.furnished = []
        self.temporary = self.root / "data/local/tmp"
        self.temporary.mkdir(parents=True)
        self._furnish()
        self._listener = Listener(self)
        self._listener.start()

    @property
    def address(self):
        return f"127.0.0.1:{self._listener.port}"

    def real(self, path):
        """Where a path of the phone lies on this machine."""
        for own in OWN:
            path = path.replace(own, f"{self.root}{own}")
        return path

    def serve(self, service, stream):
        """What the adb server asks for."""
        name, _, argument = service.partition(":")
        if name == "sync":
            sync.serve(self, stream)
        elif name.startswith("shell"):
            self._shell(argument, stream, status=name.startswith("shell,v2"))

    def left(self):
        """What a test must not leave behind: files on the phone, programs there, and clients of it here."""
        files = sorted(str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*"))
        programs = [process.args[-1] for process in self.processes if self._alive(process)]
        return [path for path in files if path not in self.furnished], programs, self._clients()

    def _clients(self):
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().decode(errors="replace").split("\0")
                found += [" ".join(words)] if "adb" in words[0] and self.address in words else []
        return found

    def left_after(self, seconds):
        """The same when it is nothing, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while any(self.left()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.left()

    def unplug(self):
        """Pull the cable; the phone can't be reached any more."""
        self._listener.stop()

    def stop(self):
        self._listener.stop()
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def masks(self):
        """What `taskset` was told, run by run."""
        path = self.root / "masks"
        return path.read_text().split() if path.exists() else []

    def install(self, tool, name="benchmark_model"):
        """Put a program where people leave theirs."""
        path = self.temporary / name
        path.write_bytes(Path(tool).read_bytes())
        path.chmod(0o755)
        self.furnished.append(name)

    def script(self, name, text):
        """A command of the phone."""
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def _furnish(self):
        cpus = self.root / "sys/devices/system/cpu"
        (self.root / "proc").mkdir()
        (self.root / "proc/cpuinfo").write_text("".join(f"processor\t: {i}\n" for i in range(len(KILOHERTZ))))
        for i, kilohertz in enumerate(KILOHERTZ):
            folder = cpus / f"cpu{i}/cpufreq"
            folder.mkdir(parents=True)
            (folder / "scaling_governor").write_text("schedutil\n")
            (folder / "cpuinfo_max_freq").write_text(f"{kilohertz}\n")

    def _refresh(self):
        """Write down what the commands answer now."""
        lines = (f"[{key}]: [{value}]" for key, value in self.properties.items())
        self.script("getprop", "\n".join(f"echo {shlex.quote(line)}" for line in lines))
        tenths = self.temperatures[0]
        battery = ["Current Battery Service state:", "  AC powered: false", "  USB powered: true", "  status: 2"]
        battery += ["  level: 81", f"  temperature: {tenths}"] if tenths is not None else []
        self.script("taskset", 'echo "$1" >> "$FAKE_PHONE/masks"; shift; exec "$@"')
        echoes = "\n".join(f"echo {shlex.quote(line)}" for line in battery)
        self.script("dumpsys", f'[ "$1" = battery ] || exit 1\n{echoes}')
        for name in self.missing:
            self.script(name, f"echo /system/bin/sh: {name}: inaccessible or not found >&2\nexit 127")

    def _shell(self, command, stream, *, status):
        self.commands.append(command)
        self._refresh()
        if "dumpsys" in command and len(self.temperatures) > 1:
            self.temperatures.pop(0)
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin", "FAKE_PHONE": str(self.root)}
        process = subprocess.Popen(
            ["/bin/sh", "-c", self.real(command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        self.processes.append(process)
        threading.Thread(target=_feed, args=(process, stream, status), daemon=True).start()
        last = self.unplug_at is not None and self.unplug_at in command
        if last:  # in the middle of what takes long
            threading.Timer(0.3, self.unplug).start()
        with process.stdout, contextlib.suppress(OSError):
            for part in iter(lambda: process.stdout.read1(4096), b""):
                part = part.replace(str(self.root).encode() + b"/data", b"/data")
                stream.write(_packet(1, part) if status else part.replace(b"\n", b"\r\n"))
        code = process.wait()
        if last:  # what took less never tells its exit status
            self.unplug()
        if status and not stream.closed:
            stream.write(_packet(3, bytes([code & 255 if code >= 0 else 128 - code])))

    @staticmethod
    def _alive(process):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return False
        return True


def _packet(kind, data):
    return bytes([kind]) + struct.pack("<I", len(data)) + data


def _feed(process, stream, packets):
    """The program's input: what the client sends, until it or the connection ends."""
    with process.stdin, contextlib.suppress(OSError):
        while True:
            kind, size = 0, 1
            if packets:
                head = stream.read(5)
                if len(head) < 5:
                    return
                kind, size = head[0], struct.unpack("<I", head[1:])[0]
            data = stream.read(size)
            if kind == 4 or (not data and size):  # 4: close the input
                return
            if kind == 0:
                process.stdin.write(data)
                process.stdin.flush()
