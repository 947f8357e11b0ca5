"""Tensors of a PyTorch file of the old format; a pickle that asks for more is refused."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
from support import torch_files
from support.torch_files import Call, Storage, file, pickled, tensor

from distiller.models import torch_file

NUMBERS = Storage(np.arange(24, dtype="float32"), "7")
COUNT = Storage(np.array([5], "int64"), "8")


def test_tensors_have_their_numbers_whatever_their_layout():
    stored = OrderedDict(
        plain=tensor(NUMBERS, (2, 3, 4), (12, 4, 1)),
        turned=tensor(NUMBERS, (4, 6), (1, 4)),
        part=tensor(NUMBERS, (5,), (1,), offset=19),
        count=tensor(COUNT, (), ()),
    )
    tensors = torch_file.read(file(stored, COUNT, NUMBERS))
    assert list(tensors) == ["plain", "turned", "part", "count"]
    np.testing.assert_array_equal(tensors["plain"], np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(tensors["turned"], np.arange(24).reshape(6, 4).T)
    np.testing.assert_array_equal(tensors["part"], [19, 20, 21, 22, 23])
    assert tensors["count"] == 5
    assert tensors["count"].dtype == np.int64


@pytest.mark.parametrize(
    "hostile",
    [
        Call("os", "system", "touch hostile"),
        Call("builtins", "eval", "open('hostile', 'w')"),
        Call("builtins", "getattr", NUMBERS, "key"),
        Call("torch", "load", "hostile"),
        Call("numpy", "dtype", "O"),
        Call("functools", "partial", print),
        {"inside": [Call("subprocess", "check_output", ["touch", "hostile"])]},
    ],
    ids=lambda given: given.name if isinstance(given, Call) else "nested",
)
@pytest.mark.parametrize("place", range(5))
def test_a_pickle_that_calls_something_is_refused_before_the_call(hostile, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = [torch_files.MAGIC, torch_files.PROTOCOL, torch_files.SYSTEM, {"w": tensor(NUMBERS, (24,), (1,))}, ["7"]]
    parts[place] = hostile
    with pytest.raises(torch_file.Refused, match=r"asks for .*no such thing"):
        torch_file.read(pickled(*parts))
    assert not list(tmp_path.iterdir())


def test_a_name_with_dots_reaches_nothing():
    content = b"\x80\x04\x8c\x05torch\x8c\x16FloatStorage.__class__\x93."
    with pytest.raises(torch_file.Refused, match=r"FloatStorage\.__class__"):
        torch_file.read(content)


def test_a_tensor_cannot_be_changed_after_it_was_checked():
    """Opcode BUILD sets attributes of an object that is made already."""
    made = pickled({"w": tensor(NUMBERS, (24,), (1,))})
    state = pickle.dumps({"strides": (10**9,)}, protocol=2)[2:-1]
    at = made.rindex(b"R") + 1
    changed = made[:at] + state + b"b" + made[at:]
    head = pickled(torch_files.MAGIC, torch_files.PROTOCOL, torch_files.SYSTEM)
    with pytest.raises(torch_file.Refused, match="cannot be read"):
        torch_file.read(head + changed + pickled(["7"]) + file({}, NUMBERS)[-104:])


@pytest.mark.parametrize(
    "name", [b"torch\nFloatStorage", b"torch._utils\n_rebuild_tensor_v2", b"collections\nOrderedDict"]
)
def test_what_the_names_stand_for_cannot_be_changed(name):
    before = torch_file.read(file({"w": tensor(NUMBERS, (24,), (1,))}, NUMBERS))["w"]
    for state in ({"__doc__": "changed"}, (None, {"__defaults__": (1,), "__doc__": "changed"})):
        changing = b"\x80\x02c" + name + b"\n" + pickle.dumps(state, protocol=2)[2:-1] + b"b."
        with pytest.raises(torch_file.Refused, match="cannot be read"):
            torch_file.read(changing)
    after = torch_file.read(file({"w": tensor(NUMBERS, (24,), (1,))}, NUMBERS))["w"]
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((25,), (1,), 0),
        ((24,), (1,), 1),
        ((3, 8), (9, 1), 0),
        ((2,), (24,), 0),
        ((4,), (-1,), 3),
        ((-1,), (1,), 0),
        ((4,), (1,), -1),
        ((2, 2), (1,), 0),
        ((2.0,), (1,), 0),
        ((0,), (1,), 0),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(shape, strides, offset):
    with pytest.raises(torch_file.Refused):
        torch_file.read(file({"w": tensor(NUMBERS, shape, strides, offset)}, NUMBERS))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 a file of the new format is a zip",
        pickle.dumps({"a": 1}),
        pickled(torch_files.MAGIC, 1002, torch_files.SYSTEM, {}, []),
        pickled(torch_files.MAGIC, torch_files.PROTOCOL, {"little_endian": False}, {}, []),
        file({"w": 3}),
        file([tensor(NUMBERS, (24,), (1,))], NUMBERS),
        file({"w": tensor(NUMBERS, (24,), (1,))}, Storage(np.zeros(23, "float32"), "7")),
        file({"w": tensor(NUMBERS, (24,), (1,))}, Storage(np.zeros(24, "float32"), "9")),
        file({"w": tensor(NUMBERS, (24,), (1,))}),
    ],
)
def test_another_file_is_refused(content):
    with pytest.raises(torch_file.Refused):
        torch_file.read(content)


def test_a_file_that_is_cut_is_refused_wherever_it_is_cut():
    whole = file({"w": tensor(NUMBERS, (24,), (1,))}, NUMBERS)
    assert torch_file.read(whole)
    for length in range(len(whole)):
        with pytest.raises(torch_file.Refused):
            torch_file.read(whole[:length])
