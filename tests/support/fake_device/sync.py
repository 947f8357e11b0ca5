"""The file service of a phone: `adb push` and `adb pull`."""

import os
import struct


def serve(device, stream):
    """Answer requests until the client quits."""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"QUIT":
            return
        argument = stream.read(size).decode()
        if name in (b"STAT", b"STA2", b"LST2"):
            stream.write(_stat(name, device.real(argument)))
        elif name == b"SEND":
            path, _, mode = argument.rpartition(",")
            stream.write(_receive(device, stream, device.real(path), int(mode)))
        elif name == b"RECV":
            stream.write(_send(device.real(argument)))
        else:
            stream.write(_failure("unknown request"))


def _stat(name, path):
    try:
        found = os.stat(path)
    except OSError as error:
        return name + (bytes(12) if name == b"STAT" else struct.pack("<I", error.errno) + bytes(64))
    if name == b"STAT":
        return name + struct.pack("<3I", found.st_mode, found.st_size, int(found.st_mtime))
    times = (int(found.st_atime), int(found.st_mtime), int(found.st_ctime))
    numbers = (found.st_dev, found.st_ino, found.st_mode, found.st_nlink, found.st_uid, found.st_gid, found.st_size)
    return name + struct.pack("<IQQIIIIQqqq", 0, *numbers, *times)


def _receive(device, stream, path, mode):
    content = bytearray()
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return b""
        size = struct.unpack("<I", head[4:])[0]
        if head[:4] == b"DONE":
            break
        content += stream.read(size)
    device.pushed.append(path)
    if len(content) > device.space:
        return _failure("couldn't write: No space left on device")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(device.spoil(bytes(content)))
        os.chmod(path, mode & 0o777)
    except OSError as error:
        return _failure(f"couldn't create file: {error.strerror}")
    return b"OKAY" + bytes(4)


def _send(path):
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        return _failure(f"open failed: {error.strerror}")
    parts = (content[i : i + 65536] for i in range(0, len(content), 65536))
    return b"".join(b"DATA" + struct.pack("<I", len(part)) + part for part in parts) + b"DONE" + bytes(4)


def _failure(message):
    return b"FAIL" + struct.pack("<I", len(message)) + message.encode()
