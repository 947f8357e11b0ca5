"""What a recipe names, made."""

import numpy as np
import pytest

from distiller import bridges, data
from distiller.errors import InputError
from distiller.recipes.schema import Data
from distiller.runs.building import grouped, load_data


def dataset(classes, labels):
    split = data.Split(np.zeros((len(labels), 4, 4, 3), "uint8"), np.array(labels, "int32"))
    return data.Dataset("made", split, split, split, tuple(classes))


def test_classes_become_their_groups():
    """CIFAR-100 in the order of its labels: beaver (4) and dolphin (30) are aquatic mammals, bed (5) is furniture."""
    groups = bridges.ClassMap.named("cifar100_coarse")
    found = grouped(dataset(groups.names, [4, 30, 5]), groups)
    assert [found.classes[label] for label in found.test.labels] == [
        "aquatic_mammals",
        "aquatic_mammals",
        "household_furniture",
    ]
    assert len(found.classes) == 20


def test_images_of_other_classes_are_refused():
    groups = bridges.ClassMap.named("cifar100_coarse")
    with pytest.raises(InputError, match=r"100 classes of the map\. Received: made"):
        grouped(dataset(["cat", "dog"], [0, 1]), groups)


def test_settings_are_chosen_without_the_test_images():
    """The test split is the held-out images of training then, and none of the digits' own test images."""
    chosen = load_data(Data(name="digits", validation=0.2, measured_on="validation"), None)
    plain = load_data(Data(name="digits", validation=0.2), None)
    np.testing.assert_array_equal(chosen.test.images, plain.validation.images)
    np.testing.assert_array_equal(chosen.test.labels, plain.validation.labels)
    seen = {image.tobytes() for image in plain.test.images} - {image.tobytes() for image in plain.validation.images}
    assert seen
    assert not seen & {image.tobytes() for image in chosen.test.images}
