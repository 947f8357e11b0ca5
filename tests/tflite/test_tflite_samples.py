"""The ways to hand over images, as batches."""

import numpy as np
import pytest

from tflite import ModelError
from tflite.utils import samples

IMAGES = np.arange(24, dtype="float32").reshape(6, 2, 2, 1)
LABELS = np.arange(6)


@pytest.mark.parametrize(
    "given",
    [
        IMAGES,
        (IMAGES, LABELS),
        [IMAGES],
        {"x": IMAGES},
        [(IMAGES[:2], LABELS[:2]), (IMAGES[2:], LABELS[2:])],
        lambda: IMAGES,
        lambda: ([image[None]] for image in IMAGES),
        lambda: [(image[None],) for image in IMAGES],
        lambda: ({"x": image[None]} for image in IMAGES),
        lambda: (("serve", {"x": image[None]}) for image in IMAGES),
        [{"x": IMAGES[:4]}, [IMAGES[4:]]],
    ],
)
def test_images_in_all_their_forms(given):
    found = [images for images, labels in samples.batches(given, labelled=False) if labels is None]
    np.testing.assert_array_equal(np.concatenate(found), IMAGES)


def test_forms_that_are_none():
    for given, message in [
        ([{"x": IMAGES, "y": IMAGES}], r"images for one input. Received: \['x', 'y'\]"),
        (lambda batch: IMAGES, "a function without arguments that returns batches. Received: .*batch"),
        (lambda: None, "an iterable of batches. Received: NoneType"),
        ([IMAGES.tolist()], r"Expected batches \(images, labels\). Received: list of 6"),
    ]:
        with pytest.raises(ModelError, match=message):
            list(samples.batches(given, labelled=False))


def test_with_labels_a_function_is_no_data_set():
    with pytest.raises(ModelError, match=r"iterable of batches. Received: function"):
        list(samples.batches(lambda: [(IMAGES, LABELS)]))


def test_small_batches_are_gathered():
    stream = iter([(IMAGES[i : i + 1], LABELS[i : i + 1]) for i in range(6)])
    found = list(samples.gathered(stream, least=4))
    assert [len(images) for images, _ in found] == [4, 2]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in found]), IMAGES)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in found]), LABELS)
    mixed = iter([(IMAGES[:1], LABELS[:1]), (IMAGES[:1, :1], LABELS[:1]), (IMAGES[1:2], LABELS[1:2])])
    assert [images.shape for images, _ in samples.gathered(mixed)] == [(1, 2, 2, 1), (1, 1, 2, 1), (1, 2, 2, 1)]
