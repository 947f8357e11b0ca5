"""LiteRT.js is fetched once, and never used unless it is the very archive that was pinned."""

import base64
import hashlib
import io
import tarfile
import urllib.error

import pytest

from tflite.errors import MeasurementError
from tflite.serving import runtime


def archive(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def registry(monkeypatch):
    """A registry with two small packages; its `sent` can be changed, `asked` lists what it was asked for."""

    class Registry:
        def __init__(self):
            self.asked, self.sent = [], {}

        def open(self, address, timeout):
            self.asked.append(address)
            if address not in self.sent:
                raise urllib.error.URLError("no route to host")
            return io.BytesIO(self.sent[address])

    found = Registry()
    packages = []
    for package in runtime.PACKAGES:
        wanted = {path: path.encode() for owner, path in runtime._MEMBERS.values() if owner == package.name}
        content = archive({**wanted, "package/other.js": b"not served", "../../escape": b"x"})
        integrity = base64.b64encode(hashlib.sha512(content).digest()).decode()
        packages.append(runtime.Package(package.name, len(content), integrity))
        found.sent[package.address] = content
    monkeypatch.setattr(runtime, "PACKAGES", tuple(packages))
    monkeypatch.setattr(runtime.urllib.request, "urlopen", found.open)
    return found


def test_it_is_fetched_once_and_says_so(registry, tmp_path):
    said, steps = [], []
    files = runtime.load(tmp_path / "cache", tell=said.append, progress=lambda done, of: steps.append((done, of)))
    assert files == {name: path.encode() for name, (_, path) in runtime._MEMBERS.items()}
    assert registry.asked == [
        "https://registry.npmjs.org/@litertjs/core/-/core-2.5.3.tgz",
        "https://registry.npmjs.org/@litertjs/wasm-utils/-/wasm-utils-2.5.3.tgz",
    ]
    assert len(said) == 1
    assert "LiteRT.js 2.5.3 (Apache-2.0, " in said[0]
    assert steps[0][0] == steps[0][1] > 0
    assert runtime.is_kept(tmp_path / "cache")
    assert runtime.load(tmp_path / "cache", tell=said.append) == files
    assert (len(registry.asked), len(said)) == (2, 1)
    assert {path.name for path in tmp_path.rglob("*.tgz")} == {"core-2.5.3.tgz", "wasm-utils-2.5.3.tgz"}
    assert sorted(path.name for path in tmp_path.parent.rglob("escape")) == []


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"x", lambda _: b"<html>"])
def test_another_archive_is_thrown_away(registry, tmp_path, change):
    address = runtime.PACKAGES[0].address
    registry.sent[address] = change(registry.sent[address])
    with pytest.raises(MeasurementError, match=r"Expected @litertjs/core 2\.5\.3 .* SHA-512"):
        runtime.load(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_endless_answer_is_cut(registry, tmp_path, monkeypatch):
    class Endless(io.RawIOBase):
        read_so_far = 0

        def read(self, count):
            self.read_so_far += count
            return b"x" * count

    endless = Endless()
    monkeypatch.setattr(runtime.urllib.request, "urlopen", lambda *_, **__: endless)
    with pytest.raises(MeasurementError, match="SHA-512"):
        runtime.load(tmp_path)
    assert endless.read_so_far < 2**20


def test_a_kept_archive_that_was_changed_is_fetched_anew(registry, tmp_path):
    files = runtime.load(tmp_path)
    kept = tmp_path / runtime.PACKAGES[0].file
    kept.write_bytes(kept.read_bytes()[:-2] + b"xx")
    assert runtime.load(tmp_path) == files
    assert len(registry.asked) == 3


def test_without_a_network_the_way_out_is_told(registry, tmp_path):
    content = dict(registry.sent)
    registry.sent.clear()
    with pytest.raises(MeasurementError) as told:
        runtime.load(tmp_path)
    for package in runtime.PACKAGES:  # what it says is enough
        (tmp_path / package.file).write_bytes(content[package.address])
    assert runtime.PACKAGES[0].address in str(told.value)
    assert str(tmp_path) in str(told.value)
    assert set(runtime.load(tmp_path)) == set(runtime._MEMBERS)


def test_the_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert runtime.cache_folder() == tmp_path / "distiller"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert runtime.cache_folder() == tmp_path / "home" / ".cache" / "distiller"
