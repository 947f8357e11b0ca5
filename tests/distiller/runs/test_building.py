"""What a recipe names, made."""

import numpy as np
import pytest

from distiller import bridges, data
from distiller.errors import InputError
from distiller.runs.building import grouped


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
