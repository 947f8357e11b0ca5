"""Photos as users have them: turned, transparent, of every kind, some broken."""

import os
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distiller import data, recipes
from distiller.data import photos
from distiller.errors import InputError
from distiller.runs import pipeline


@pytest.fixture
def folder(tmp_path):
    for code, name in enumerate(["cat", "dog"]):
        (tmp_path / name).mkdir()
        for i in range(6):
            Image.fromarray(np.full((10, 10, 3), 100 * code + i, "uint8")).save(tmp_path / name / f"{i}.png")
    return tmp_path


def read(path, size=(8, 8)):
    return photos.read([path], size, "read")[0].astype("int32")


@pytest.mark.parametrize(
    ("orientation", "bright"), [(1, np.s_[:4]), (3, np.s_[4:]), (6, np.s_[:, 4:]), (8, np.s_[:, :4])]
)
def test_a_photo_is_turned_as_its_exif_data_says(tmp_path, orientation, bright):
    """Stored bright on top; the standard's names of where that top is to be shown: top, bottom, right, left."""
    stored = np.zeros((16, 16, 3), "uint8")
    stored[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "a.jpg", exif=exif, quality=100)
    shown = read(tmp_path / "a.jpg")
    assert shown[bright].mean() > 240
    assert shown.mean() == pytest.approx(127.5, abs=5)


def test_transparent_pixels_lie_on_white(tmp_path):
    drawing = np.zeros((8, 8, 4), "uint8")
    drawing[:4, :, 3] = 255  # black strokes above, nothing below
    Image.fromarray(drawing).save(tmp_path / "a.png")
    shown = read(tmp_path / "a.png")
    assert (shown[:4].max(), shown[4:].min()) == (0, 255)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "I;16"])
def test_every_kind_of_pixels_has_three_colours(tmp_path, mode):
    grey = np.linspace(0, 255, 64).round().reshape(8, 8)
    if mode == "I;16":
        image = Image.fromarray((grey * 257).astype("uint16"))
    else:
        image = Image.fromarray(grey.astype("uint8")).convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    shown = read(path)
    expected = 255 * (shown[..., 0] > 127) if mode == "1" else grey
    np.testing.assert_allclose(shown, np.repeat(expected[..., None], 3, axis=-1), atol=2)


def test_a_large_photo_is_the_mean_of_its_parts(tmp_path):
    """Resizing is not picking: a chequerboard of single pixels becomes grey."""
    board = 255 * (np.indices((512, 512)).sum(0) % 2)
    Image.fromarray(np.repeat(board[..., None], 3, -1).astype("uint8")).save(tmp_path / "a.png")
    np.testing.assert_allclose(read(tmp_path / "a.png"), 127.5, atol=3)


def test_all_kinds_are_read_and_others_are_told(folder, capsys):
    for i, kind in enumerate(("webp", "tiff", "JPEG", "bmp")):
        Image.fromarray(np.full((10, 10, 3), 40 + i, "uint8")).save(folder / "cat" / f"more {i}.{kind}")
    (folder / "cat" / "deep").mkdir()
    Image.fromarray(np.full((10, 10, 3), 50, "uint8")).save(folder / "cat" / "deep" / "é.png")
    (folder / "cat" / "a.heic").write_text("?")
    (folder / "cat" / "clip.mpg").write_text("?")
    (folder / "dog" / "notes.h5").write_text("?")
    (folder / "dog" / "Thumbs.db").write_text("?")
    (folder / "dog" / "._0.png").write_text("macOS")
    found = data.load(folder, image_size=(8, 8))
    assert sum(map(len, (found.train, found.validation, found.test))) == 17
    assert "4 files in" in (told := capsys.readouterr().err)
    assert told.strip().endswith("left out, no images of a kind that can be read: .db, .h5, .heic, .mpg")


def test_a_photo_of_two_hundred_megapixels(tmp_path):
    """It takes the byte a pixel that Pillow decodes it to, and not four and four more as a whole of three colours."""
    Image.new("1", (16320, 12240), 1).save(tmp_path / "a.png")
    before, most = Image.MAX_IMAGE_PIXELS, peak()
    np.testing.assert_array_equal(read(tmp_path / "a.png"), np.full((8, 8, 3), 255))
    assert before == Image.MAX_IMAGE_PIXELS
    assert peak() - most < 400 * 2**20


def peak():
    """The most bytes of memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("side", [50_000, 2**31 - 1])
def test_an_image_that_would_fill_the_memory_is_named(folder, side):
    """A header alone says so; what follows would be decoded row by row."""
    header = struct.pack(">4sIIBBBBB", b"IHDR", side, side, 1, 0, 0, 0, 0)
    rows = b"IDAT" + zlib.compress(b"\0" * 100_000)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, rows)]
    (folder / "dog" / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    told = (
        rf"dog/bomb\.png' cannot be read: expected 250,000,000 pixels at most. Received: {side:,} × {side:,}. Make it"
    )
    with pytest.raises(InputError, match=told):
        data.load(folder, image_size=(8, 8))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "I;16", "RGB", "RGBA", "LA"])
def test_a_photo_that_is_reduced_in_strips_is_the_same_one(tmp_path, monkeypatch, mode, orientation):
    """As when it is made smaller in one go."""
    y, x = np.mgrid[:150, :203]
    grey = (127 + 60 * np.sin(x / 40) + 60 * np.cos(y / 30)).astype("uint8")
    image = Image.fromarray(grey.astype("uint16") * 257) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.fromarray((x % 256).astype("uint8")))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path, exif=exif)
    whole = read(path, (12, 10))
    monkeypatch.setattr(photos, "_LARGE", 1000)
    monkeypatch.setattr(photos, "_PART", 1000)
    np.testing.assert_allclose(read(path, (12, 10)), whole, atol=12 if mode == "1" else 4)
    assert whole.std() > 20


def test_a_broken_file_is_named(folder):
    (folder / "dog" / "5.png").write_bytes(b"\x89PNG of nothing")
    with pytest.raises(InputError, match=r"The image '.*dog/5\.png' cannot be read"):
        data.load(folder, image_size=(8, 8))


def test_numbers_of_no_known_range_are_refused(folder):
    """From 0 to 1 they would be black pixels."""
    Image.fromarray(np.linspace(0, 1, 64, dtype="float32").reshape(8, 8)).save(folder / "dog" / "6.tif")
    with pytest.raises(
        InputError, match=r"dog/6\.tif' cannot be read: its pixels are floating-point numbers of no known"
    ):
        data.load(folder, image_size=(8, 8))


def test_a_truncated_file_is_named(folder):
    whole = (folder / "dog" / "5.png").read_bytes()
    (folder / "dog" / "5.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"dog/5\.png"):
        data.load(folder, image_size=(8, 8))


def not_utf8(path):
    """A path whose last part ends with a byte that is no UTF-8, as old archives and cameras leave them."""
    return Path(os.fsdecode(os.fsencode(path) + b"\xe9"))


def test_names_of_photos_need_not_be_utf8(folder):
    deep = not_utf8(folder / "cat" / "caf")
    deep.mkdir()
    Image.fromarray(np.full((10, 10, 3), 200, "uint8")).save(os.fsdecode(os.fsencode(deep / "x") + b"\xe9.png"))
    found = data.load(folder, image_size=(8, 8))
    assert sum(map(len, (found.train, found.validation, found.test))) == 13
    there = np.concatenate([split.images[:, 0, 0, 0] for split in (found.train, found.validation, found.test)])
    assert 200 in there


def test_a_broken_photo_whose_name_is_not_utf8_is_named(folder):
    (folder / "cat" / os.fsdecode(b"b\xe9.png")).write_bytes(b"?")
    with pytest.raises(InputError, match=r"b\\udce9\.png' cannot be read"):
        data.load(folder, image_size=(8, 8))


@pytest.mark.parametrize("name", ["d\nog", "d\u2028og", os.fsdecode(b"d\xe9"), "d\rog"])
def test_a_class_whose_name_is_no_line_of_text_is_named_before_a_photo_is_read(folder, monkeypatch, name):
    """Files of labels have one a line, and are made after the training."""
    monkeypatch.setattr(photos, "read", lambda *_: pytest.fail("photos are read"))
    (folder / "dog").rename(folder / name)
    with pytest.raises(InputError) as error:
        data.load(folder, image_size=(8, 8))
    told = "Expected names of classes of one line of text each, in UTF-8, in"
    assert str(error.value) == f"{told} {str(folder)!r}. Received: {name!r}. Rename that class"


def test_a_run_tells_of_a_class_of_arrays_before_it_trains(tmp_path):
    images = np.zeros((30, 8, 8, 1), "uint8")
    names = np.array(["cat", "dog\nor wolf"])
    np.savez(tmp_path / "a.npz", x_train=images, y_train=np.arange(30) % 2, classes=names)
    changes = [f"data={{name: {tmp_path / 'a.npz'}}}", "bridge=null"]
    with pytest.raises(InputError, match=r"in UTF-8, in '.*a.npz'. Received: 'dog\\nor wolf'. Rename that class"):
        pipeline.run(recipes.read_run("demo", changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()
