"""Images with several labels, numbers or masks: read as they are written, and what is wrong is told with its place."""

import numpy as np
import pytest
from PIL import Image

from distiller import data
from distiller.errors import InputError


def folder_of(tmp_path, count=12, size=(6, 4)):
    for i in range(count):
        Image.fromarray(np.full((*size, 3), 10 * i, "uint8")).save(tmp_path / f"{i}.png")
    return tmp_path


def whole(dataset):
    """Name → label of all splits, each image once."""
    splits = dataset.train, dataset.validation, dataset.test
    found = [pair for split in splits for pair in zip(split.known_names(), split.labels.tolist(), strict=True)]
    assert len(dict(found)) == len(found)
    return dict(found)


def test_columns_of_zeros_and_ones_are_labels(tmp_path):
    folder = folder_of(tmp_path)
    rows = "".join(f"{i}.png,{i % 2},{int(i > 5)}\n" for i in range(12))
    (folder / "labels.csv").write_text("image,odd,large\n" + rows)
    found = data.load_task(folder, "multi_label", image_size=(6, 4))
    assert found.classes == ("odd", "large")
    assert whole(found) == {f"{i}.png": [i % 2, int(i > 5)] for i in range(12)}
    # The image and its label stay together: pixel 10·i of image i.
    assert (found.train.images[:, 0, 0, 0] // 10 % 2 == found.train.labels[:, 0]).all()
    assert len(found.test) == 2


def test_names_in_one_cell_are_labels_too(tmp_path):
    folder = folder_of(tmp_path)
    rows = "".join(f"{i}.png,{'big cat;indoor' if i % 3 else 'indoor'}\n" for i in range(11))
    (folder / "tags.csv").write_text("image,labels\n" + rows + "11.png,\n")
    found = data.load_task(folder, "multi_label", labels="tags.csv")
    assert found.classes == ("big cat", "indoor")
    assert whole(found) == {f"{i}.png": [int(i % 3 > 0), 1] for i in range(11)} | {"11.png": [0, 0]}


def test_one_photo_more_moves_few_others(tmp_path):
    folder = folder_of(tmp_path, 13)
    rows = [f"{i}.png,{i / 8}\n" for i in range(13)]
    tests = []
    for count in (12, 13):
        (folder / "labels.csv").write_text("image,value\n" + "".join(reversed(rows[:count])))
        tests.append(set(data.load_task(folder, "regression").test.known_names()))
    assert len(tests[0] ^ tests[1]) <= 2


def test_columns_choose_the_numbers(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "labels.csv").write_text("image,a,note,b\n" + "".join(f"{i}.png,{i},x,{-i / 2}\n" for i in range(12)))
    found = data.load_task(folder, "regression", columns=["b", "a"])
    assert whole(found) == {f"{i}.png": [-i / 2, i] for i in range(12)}


@pytest.mark.parametrize(
    ("task", "text", "columns", "said"),
    [
        ("regression", "image,a\n0.png,1\nnone.png,2\n", None, "Line 3 of .*'none.png' is not in"),
        ("regression", "image,a\n0.png,1\n0.png,2\n", None, "Line 3 of .*is in line 2 already"),
        ("regression", "image,a\n0.png,tall\n", None, "Line 2 of .*expected a number of 'a'. Received: 'tall'"),
        ("regression", "image,a\n0.png,nan\n", None, "Line 2 of .*expected a number of 'a'. Received: 'nan'"),
        ("regression", "image,height\n0.png,1\n", ["heigth"], "Unknown column 'heigth'.*'height'"),
        ("regression", "picture,a\n0.png,1\n", None, "Expected a column 'image'"),
        ("regression", "image,a\n0.png,1,2\n", None, "Expected 2 cells in line 2"),
        ("multi_label", "image,a\n0.png,2\n", None, "Line 2 of .*expected 0 or 1 of 'a'. Received: '2'"),
        ("multi_label", "image,labels\n0.png,ct\n", ["cat"], "Line 2 of .*label 'ct'"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path, task, text, columns, said):
    folder = folder_of(tmp_path)
    (folder / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        data.load_task(folder, task, columns=columns)


def masks_of(tmp_path, count=12):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    folder_of(tmp_path / "images", count)
    for i in range(count):
        mask = np.zeros((6, 4), "uint8")
        mask[0, 0], mask[5, 3], mask[2, 1] = 1 + i % 2, 255, 2
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
    return tmp_path


def test_masks_belong_to_the_images_of_their_names(tmp_path):
    found = data.load_task(masks_of(tmp_path), "segmentation", image_size=(6, 4), classes=["ground", "leaf", "stem"])
    assert found.classes == ("ground", "leaf", "stem")
    for name, mask in whole(found).items():
        expected = np.zeros((6, 4), int)
        expected[0, 0], expected[5, 3], expected[2, 1] = 1 + int(name.split("/")[1][:-4]) % 2, -1, 2
        assert mask == expected.tolist()


def test_masks_are_resized_without_mixing_numbers(tmp_path):
    found = data.load_task(masks_of(tmp_path), "segmentation", image_size=(12, 8))
    assert found.train.labels.shape[1:] == (12, 8)
    assert set(np.unique(found.train.labels)) == {-1, 0, 1, 2}


def test_what_is_wrong_with_a_mask_is_told_with_its_file(tmp_path):
    folder = masks_of(tmp_path)
    with pytest.raises(InputError, match=r"numbers 0 … 1 of classes, or 255 for none, in .*0.png'. Received: 2"):
        data.load_task(folder, "segmentation", classes=["a", "b"])
    Image.fromarray(np.zeros((4, 6), "uint8")).save(folder / "masks" / "3.png")
    with pytest.raises(InputError, match=r"3.png' in the size of its image, 4×6. Received: 6×4"):
        data.load_task(folder, "segmentation")
    Image.fromarray(np.zeros((6, 4, 3), "uint8")).save(folder / "masks" / "3.png")
    with pytest.raises(InputError, match=r"one channel of bytes.*3.png'. Received: mode RGB"):
        data.load_task(folder, "segmentation")
    (folder / "masks" / "3.png").unlink()
    with pytest.raises(InputError, match=r"Expected the mask .*3.png' of the image"):
        data.load_task(folder, "segmentation")


def test_arrays_hold_labels_numbers_and_masks(tmp_path):
    images = np.arange(12 * 6 * 4 * 3).reshape(12, 6, 4, 3).astype("uint8")
    masks = np.tile(np.array([0, 1, 255, 2]), (12, 6, 1))
    np.savez(tmp_path / "masks.npz", x_train=images, y_train=masks, x_test=images, y_test=masks)
    found = data.load_task(tmp_path / "masks.npz", "segmentation")
    assert found.test.labels[3, 2].tolist() == [0, 1, -1, 2]
    np.savez(tmp_path / "numbers.npz", x_train=images, y_train=np.linspace(0, 1, 12), x_test=images, y_test=np.ones(12))
    assert data.load_task(tmp_path / "numbers.npz", "regression").test.labels.tolist() == [[1.0]] * 12
    with pytest.raises(InputError, match=r"y_train in .* as 0 and 1. Received: 0.09"):
        data.load_task(tmp_path / "numbers.npz", "multi_label")


def test_masks_move_with_their_images():
    """Each pixel's value is its class, so that a view that parts them shows."""
    numbers = np.random.default_rng(0).integers(0, 5, (16, 8, 8)).astype("uint8")
    split = data.Split(numbers[..., None], numbers.astype("int32"))
    views = data.Batches(split, 16, augmentation=data.Augmentation(crop=2, flip=True))
    images, masks = views[0]
    inside = masks >= 0
    assert (images[..., 0][inside] == masks[inside]).all()
    assert 0 < (~inside).mean() < 0.5
    assert (images[..., 0][~inside] == 0).all()
    assert not (images == split.images[views._order(0)]).all()


def test_derived_labels_are_what_they_say():
    source, made = data.load("digits"), data.load_task("digits", "multi_label", derive="properties")
    digits = source.test.labels
    assert made.classes == ("even", "prime", "above_four", "has_a_loop")
    assert (made.test.labels[:, 0] == (digits % 2 == 0)).all()
    assert (made.test.labels[:, 1] == np.isin(digits, [2, 3, 5, 7])).all()
    strokes = data.load_task("digits", "segmentation", derive="strokes")
    assert (strokes.test.labels.max(axis=(1, 2)) == digits + 1).all()
    turned = data.load_task("digits", "regression", derive="rotation")
    i = int(np.argmin(np.abs(turned.test.labels[:, 0] - 0.5)))
    angle = 45 * float(turned.test.labels[i, 0])
    expected = Image.fromarray(source.test.images[i, ..., 0]).rotate(angle, Image.Resampling.BILINEAR)
    assert (turned.test.images[i, ..., 0] == np.asarray(expected)).all()


def test_a_name_without_such_labels_is_refused():
    with pytest.raises(InputError, match=r"data.derive, one of rotation"):
        data.load_task("digits", "regression")
    with pytest.raises(InputError, match=r"rotation: expected the task regression. Received: segmentation"):
        data.load_task("digits", "segmentation", derive="rotation")


def test_groups_of_cifar100_are_labels_beside_its_classes():
    from distiller.bridges import ClassMap
    from distiller.data.derived import superclass

    groups = ClassMap.named("cifar100_coarse")
    names = list(groups.names)
    codes = np.array([names.index(name) for name in ("apple", "pear", "whale")])
    found, labels = superclass(data.Split(np.zeros((3, 2, 2, 3), "uint8"), codes), names)
    said = [{labels[i] for i in np.flatnonzero(row)} for row in found.labels]
    assert list(said[0] & said[1]) == ["group fruit_and_vegetables"]
    assert said[2] == {"whale", "group aquatic_mammals"}
    with pytest.raises(InputError, match="expected the data set cifar100"):
        superclass(data.Split(np.zeros((3, 2, 2, 3), "uint8"), codes), names[:10])
