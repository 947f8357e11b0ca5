"""Any data set of tensorflow_datasets with an image and a label: here one that is written by the test."""

import numpy as np
import pytest
from PIL import Image

from distiller import data
from distiller.data.splits import hold_out
from distiller.errors import InputError, WorkError

tfds = pytest.importorskip("tensorflow_datasets")


def pixels(part, i):
    random = np.random.default_rng(1000 * (part == "train") + i)
    return random.integers(0, 256, (9 + i % 3, 12, 3), dtype="uint8")


class TinyPets(tfds.core.GeneratorBasedBuilder):
    """Images of three heights."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
            "number": np.int64,
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {part: self._generate_examples(part, count) for part, count in (("train", 20), ("test", 7))}

    def _generate_examples(self, part, count=0):
        for i in range(count):
            yield i, {"image": pixels(part, i), "label": i % 2, "number": i}


class TinyNumbers(tfds.core.GeneratorBasedBuilder):
    """Numbers without images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict({"number": np.int64}))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"number": 3}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    for builder in (TinyPets, TinyNumbers):
        builder(data_dir=str(folder)).download_and_prepare()
    return folder


def resized(part, i):
    return np.asarray(Image.fromarray(pixels(part, i)).resize((6, 8), Image.Resampling.BILINEAR))


def test_every_image_comes_once_with_its_label_resized_as_pillow_does(data_dir):
    found = data.load("tfds:tiny_pets", data_dir=data_dir, image_size=(8, 6), validation=0.2)
    assert found.classes == ("cat", "dog")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [16, 4, 7]
    for part, splits in (("train", (found.train, found.validation)), ("test", (found.test,))):
        given = {resized(part, i).tobytes(): i % 2 for i in range(20 if part == "train" else 7)}
        for split in splits:
            for image, label in zip(split.images, split.labels, strict=True):
                assert given.pop(image.tobytes()) == label
        assert given == {}


def test_images_of_a_mapped_file_are_those_in_memory(data_dir, tmp_path):
    here = data.load("tfds:tiny_pets", data_dir=data_dir, image_size=(8, 6))
    for _ in range(2):
        there = data.load("tfds:tiny_pets", data_dir=data_dir, image_size=(8, 6), cache_dir=tmp_path)
        for part in ("train", "validation", "test"):
            np.testing.assert_array_equal(getattr(there, part).images, getattr(here, part).images)
            np.testing.assert_array_equal(getattr(there, part).labels, getattr(here, part).labels)
    assert len(list(tmp_path.iterdir())) == 1
    assert isinstance(there.test.images, np.memmap)
    assert hold_out(there.train, 0.5, 0)[0].images.shape[1:] == (8, 6, 3)


def test_a_data_set_without_images_or_of_no_known_name_is_named(data_dir):
    with pytest.raises(InputError, match=r"an image and a label in 'tfds:tiny_numbers'.*number"):
        data.load("tfds:tiny_numbers", data_dir=data_dir)
    with pytest.raises(WorkError, match=r"could not prepare 'no_such_thing'.*data_dir"):
        data.load("tfds:no_such_thing", data_dir=data_dir)
