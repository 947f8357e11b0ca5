"""Sources, splits, replayable views, batches."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from distiller import data
from distiller.data import sources
from distiller.errors import InputError

PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_digits_hold_every_image_once(digits):
    parts = [digits.train, digits.validation, digits.test]
    original = np.round(load_digits().images * (255 / 16)).astype("uint8")
    found = np.concatenate([part.images[..., 0] for part in parts])
    assert sorted(map(bytes, found)) == sorted(map(bytes, original))


def test_splits_keep_the_shares_of_the_classes(digits):
    counts = np.bincount(load_digits().target)
    np.testing.assert_allclose(np.bincount(digits.test.labels) / counts, 0.25, atol=0.01)
    held = np.bincount(digits.validation.labels) / (counts - np.bincount(digits.test.labels))
    np.testing.assert_allclose(held, 0.1, atol=0.01)


def test_splits_of_arrays_stay_as_recorded_results_have_them(digits):
    """Of each class the first in a permutation by 20240604: a quarter, then a tenth of what is left."""
    images = np.round(load_digits().images * (255 / 16)).astype("uint8")
    left = np.arange(len(images))
    for part, share in (("test", 0.25), ("validation", 0.1)):
        labels = load_digits().target[left]
        order = np.random.default_rng(20240604).permutation(len(left))
        members = [order[labels[order] == label] for label in range(10)]
        held = np.sort(np.concatenate([places[: round(share * len(places))] for places in members]))
        np.testing.assert_array_equal(getattr(digits, part).images[..., 0], images[left[held]])
        left = np.delete(left, held)
    np.testing.assert_array_equal(digits.train.images[..., 0], images[left])


@pytest.mark.parametrize(("share", "counts"), [(0.9, [3, 3]), (0.5, [3, 1])])
def test_a_share_that_leaves_a_class_no_image_is_refused(share, counts):
    labels = np.repeat([0, 1], counts).astype("int32")
    split = data.Split(np.zeros((len(labels), 4, 4, 1), "uint8"), labels)
    with pytest.raises(InputError, match=rf"leaves an image of every class. Received: share={share}"):
        data.hold_out(split, share, 0)


def test_splits_are_the_same_every_time(digits):
    np.testing.assert_array_equal(digits.validation.images, data.load("digits").validation.images)


def test_only_leaves_unlabelled_images_out(digits):
    hidden = data.Split(digits.train.images, np.where(np.arange(len(digits.train)) % 2, digits.train.labels, -1))
    found = dataclasses.replace(digits, train=hidden).only(["3", "9"])  # 9 is the last class
    np.testing.assert_array_equal(found.train.images, hidden.images[np.isin(hidden.labels, [3, 9])])


def test_only_relabels_in_the_given_order(digits):
    five = digits.only(["8", "3"])
    assert five.classes == ("8", "3")
    eights = digits.train.images[digits.train.labels == 8]
    np.testing.assert_array_equal(five.train.images[five.train.labels == 0], eights)
    assert set(five.test.labels) == {0, 1}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["3", "eight"], "Unknown class 'eight'"),
        (["3", "3"], "different classes"),
        (["3"], "two or more"),
        ([], "two or more"),
    ],
)
def test_only_refuses(digits, classes, message):
    with pytest.raises(InputError, match=message):
        digits.only(classes)


def test_some_samples_are_from_all_over_a_split():
    """Of a folder, whose images come class after class, some of each."""
    labels = np.repeat(np.arange(5), 20).astype("int32")
    split = data.Split(np.zeros((100, 2, 2, 1), "uint8"), labels)
    np.testing.assert_array_equal(np.bincount(split.some(15).labels), [3] * 5)
    np.testing.assert_array_equal(split.some(1000).labels, labels)
    assert len(split.take(np.arange(0)).some(3)) == 0


class TestHideLabels:
    def test_keeps_so_many_a_class(self, digits):
        few = data.hide_labels(digits.train, 3, per_class=5)
        assert len(few) == len(digits.train)
        np.testing.assert_array_equal(np.bincount(few.labels[few.labels >= 0]), [5] * 10)
        kept = few.labels >= 0
        np.testing.assert_array_equal(few.labels[kept], digits.train.labels[kept])

    def test_keeps_a_share_of_each_class(self, digits):
        few = data.hide_labels(digits.train, 3, fraction=0.2, drop=True)
        np.testing.assert_allclose(np.bincount(few.labels), np.bincount(digits.train.labels) * 0.2, atol=0.5)

    def test_depends_on_the_seed_alone(self, digits):
        a, b, c = (data.hide_labels(digits.train, seed, per_class=5).labels for seed in (1, 1, 2))
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

    @pytest.mark.parametrize("arguments", [{}, {"fraction": 0.1, "per_class": 2}, {"fraction": 1.5}, {"per_class": 0}])
    def test_refuses(self, digits, arguments):
        with pytest.raises(InputError, match="Expected"):
            data.hide_labels(digits.train, 0, **arguments)


class TestAugmentation:
    images = np.random.default_rng(0).integers(1, 256, (50, 8, 8, 3)).astype("uint8")

    def test_shift_is_a_crop_of_the_padded_image(self):
        draws = data.Augmentation(crop=2).draws(0, 0, 50)
        views = data.Augmentation(crop=2)(self.images, draws)
        for image, view, (down, right, _) in zip(self.images, views, draws, strict=True):
            padded = np.zeros((12, 12, 3), "uint8")
            padded[2:10, 2:10] = image
            row, column = int(down * 5), int(right * 5)
            np.testing.assert_array_equal(view, padded[row : row + 8, column : column + 8])

    def test_every_shift_and_both_sides_occur(self):
        draws = data.Augmentation(crop=1, flip=True).draws(0, 0, 2000)
        shifts = {(int(d * 3), int(r * 3), bool(f < 0.5)) for d, r, f in draws}
        assert len(shifts) == 18

    def test_flip_mirrors(self):
        draws = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.9]], "float32")
        left, same = data.Augmentation(flip=True)(self.images[:2], draws)
        np.testing.assert_array_equal(left, self.images[0, :, ::-1])
        np.testing.assert_array_equal(same, self.images[1])

    def test_a_draw_depends_on_seed_pass_and_sample_alone(self):
        views = data.Augmentation(crop=4, flip=True)
        np.testing.assert_array_equal(views.draws(5, 2, 10), views.draws(5, 2, 1000)[:10])
        assert (views.draws(5, 2, 10) != views.draws(5, 3, 10)).any()
        assert (views.draws(5, 2, 10) != views.draws(6, 2, 10)).any()

    def test_refuses_a_negative_crop(self):
        with pytest.raises(InputError, match="crop=-1"):
            data.Augmentation(crop=-1)


class TestBatches:
    @staticmethod
    def split(n):
        """Images that carry their own number."""
        return data.Split(np.arange(n, dtype="uint8").reshape(-1, 1, 1, 1).repeat(4, 1), np.arange(n, dtype="int32"))

    @staticmethod
    def epoch(batches):
        batches.on_epoch_begin()
        labels = np.concatenate([batches[i][1] for i in range(batches.num_batches)])
        batches.on_epoch_end()
        return labels

    def test_a_look_before_the_training_is_no_epoch(self):
        """On JAX Keras begins an epoch to see shapes."""
        looked, batches = data.Batches(self.split(12), 4), data.Batches(self.split(12), 4)
        looked.on_epoch_begin()
        looked[0]
        for _ in range(2):
            np.testing.assert_array_equal(self.epoch(looked), self.epoch(batches))

    def test_one_pass_sees_every_sample_once(self):
        seen = self.epoch(data.Batches(self.split(12), 4))
        assert sorted(seen) == list(range(12))
        assert list(seen) != list(range(12))

    def test_passes_follow_each_other_whatever_the_steps(self):
        """Steps of 5 over 12 samples: the sequence of passes is the same as in one long epoch."""
        long = data.Batches(self.split(12), 4, steps=9)
        short = data.Batches(self.split(12), 4, steps=3)
        np.testing.assert_array_equal(self.epoch(long), np.concatenate([self.epoch(short) for _ in range(3)]))

    def test_a_batch_larger_than_the_split(self):
        seen = self.epoch(data.Batches(self.split(3), 7, steps=3))
        np.testing.assert_array_equal(np.bincount(seen), [7, 7, 7])

    def test_seek_replays_an_epoch(self):
        a, b = (data.Batches(self.split(12), 4, seed=9) for _ in range(2))
        for _ in range(3):
            expected = self.epoch(a)
        b.seek(2)
        np.testing.assert_array_equal(self.epoch(b), expected)

    def test_images_go_with_their_labels(self):
        images, labels = data.Batches(self.split(12), 4)[1]
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
        assert images.dtype == np.float32

    def test_the_view_of_a_sample_does_not_depend_on_the_batch_size(self):
        split = data.Split(np.random.default_rng(1).integers(0, 256, (8, 6, 6, 1)).astype("uint8"), np.arange(8))
        views = data.Augmentation(crop=2, flip=True)
        by_size = []
        for size in (2, 4):
            batches = data.Batches(split, size, seed=3, augmentation=views)
            pairs = [pair for i in range(8 // size) for pair in zip(*batches[i][::-1], strict=True)]
            by_size.append(np.stack([image for _, image in sorted(pairs, key=lambda pair: pair[0])]))
        np.testing.assert_array_equal(*by_size)

    def test_in_order_gives_all_and_the_rest(self):
        batches = data.InOrder(self.split(10), 4)
        assert [len(batches[i][1]) for i in range(batches.num_batches)] == [4, 4, 2]

    def test_in_order_as_probabilities(self):
        split = self.split(3)
        batches = data.InOrder(data.Split(split.images, np.array([2, -1, 0], "int32")), 4, classes=3)
        np.testing.assert_array_equal(batches[0][1], [[0, 0, 1], [-1, -1, -1], [1, 0, 0]])

    @pytest.mark.parametrize("seeds", [{"seed": -1}, {"views": -1}, {"seed": 2**64}])
    def test_refuse_a_seed_that_no_generator_takes(self, seeds):
        (name, value), *_ = seeds.items()
        with pytest.raises(InputError, match=f"Invalid value for `{name}`.* from 0.* Received: {name}={value}"):
            data.Batches(self.split(4), 2, **seeds)

    def test_take_the_largest_seed(self):
        assert sorted(self.epoch(data.Batches(self.split(4), 2, seed=2**64 - 1))) == [0, 1, 2, 3]

    def test_refuse_an_empty_split(self):
        with pytest.raises(InputError, match="0 samples"):
            data.Batches(self.split(0), 4)


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        for code, name in enumerate(["cat", "dog"]):
            (tmp_path / name).mkdir()
            for i in range(12):
                Image.fromarray(np.full((10, 10, 3), 100 * code + i, "uint8")).save(tmp_path / name / f"{i}.png")
        return tmp_path

    def test_class_folders(self, folder):
        found = data.load(folder, image_size=(8, 8))
        assert found.classes == ("cat", "dog")
        assert found.image_shape == (8, 8, 3)
        images = np.concatenate([s.images for s in (found.train, found.validation, found.test)])
        labels = np.concatenate([s.labels for s in (found.train, found.validation, found.test)])
        assert len(images) == 24
        np.testing.assert_array_equal(images.max((1, 2, 3)) >= 100, labels == 1)

    def test_train_and_test_folders_stay_apart(self, folder, tmp_path_factory):
        root = tmp_path_factory.mktemp("both")
        (root / "train").symlink_to(folder)
        (root / "test").symlink_to(folder)
        found = data.load(root, image_size=(8, 8))
        assert len(found.test) == 24
        assert len(found.train) + len(found.validation) == 24

    @pytest.mark.parametrize("held", ["val", "validation"])
    def test_a_folder_of_validation_images(self, folder, tmp_path_factory, held):
        root = tmp_path_factory.mktemp("three")
        for part in ("train", held, "test", ".cache"):
            (root / part).symlink_to(folder)
        found = data.load(root, image_size=(8, 8))
        assert [len(part) for part in (found.train, found.validation, found.test)] == [24, 24, 24]
        assert found.classes == ("cat", "dog")

    @pytest.mark.parametrize("parts", [("train", "val", "valid"), ("train",), ("train", "val", "valid", "test")])
    def test_parts_of_a_division_are_refused(self, folder, tmp_path_factory, parts):
        root = tmp_path_factory.mktemp("some")
        for part in parts:
            (root / part).symlink_to(folder)
        with pytest.raises(InputError, match=f"train and test, and perhaps one of .* {', '.join(sorted(parts))}$"):
            data.load(root)

    @pytest.mark.parametrize("parts", [("Train", "Test"), ("training", "Testing", "VAL"), ("TRAIN", "Valid", "test")])
    def test_a_division_by_other_names(self, folder, tmp_path_factory, parts):
        root = tmp_path_factory.mktemp("capitals")
        for part in parts:
            (root / part).symlink_to(folder)
        found = data.load(root, image_size=(8, 8))
        assert found.classes == ("cat", "dog")
        assert len(found.test) == 24
        assert len(found.train) == (24 if len(parts) == 3 else 22)

    def test_one_part_of_two_names_is_refused(self, folder, tmp_path_factory):
        root = tmp_path_factory.mktemp("twice")
        for part in ("train", "Training", "test"):
            (root / part).symlink_to(folder)
        with pytest.raises(InputError, match=r"train and test, and perhaps .* Training, test, train$"):
            data.load(root)

    def test_classes_below_other_folders_are_refused(self, folder, tmp_path_factory):
        """Each of these would be a class that holds all classes."""
        root = tmp_path_factory.mktemp("folds")
        for part in ("fold 1", "fold 2"):
            (root / part).symlink_to(folder)
        with pytest.raises(InputError, match=r"one class in each folder of .*fold 1, fold 2, .* the folders cat, dog"):
            data.load(root)

    def test_a_class_may_have_folders(self, folder):
        for name in ("cat", "dog"):
            (folder / name / "indoors").mkdir()
            (folder / name / "0.png").rename(folder / name / "indoors" / "0.png")
        assert data.load(folder, image_size=(8, 8)).classes == ("cat", "dog")

    def test_one_photo_more_makes_no_trained_image_a_test_image(self, folder):
        """And moves one image at most into each split; `load` has no other state than the folder."""

        def read():
            found = data.load(folder, image_size=(8, 8))
            return {part: {image.tobytes() for image in getattr(found, part).images} for part in PARTS}

        before = read()
        for more in range(20):
            new = np.full((10, 10, 3), 30 + more, "uint8")
            Image.fromarray(new).save(folder / "cat" / f"more {7919 * more}.png")
            after = read()
            added = {new[:8, :8].tobytes()}
            for part in PARTS:
                assert len(after[part] - before[part] - added) <= 1
            assert not after["test"] & before["train"]
            before = after
        assert [len(before[part]) for part in PARTS] == [33, 4, 7]  # of 32 and 12 photos: a sixth, then a tenth

    def test_splits_of_a_folder_do_not_depend_on_where_it_is(self, folder, tmp_path_factory):
        moved = tmp_path_factory.mktemp("elsewhere") / "photos"
        moved.symlink_to(folder)
        one, other = (data.load(path, image_size=(8, 8)) for path in (folder, moved))
        for part in PARTS:
            np.testing.assert_array_equal(getattr(one, part).images, getattr(other, part).images)

    def test_a_small_share_is_part_of_a_larger_one(self, folder):
        small, large = (data.load(folder, validation=share, image_size=(8, 8)) for share in (0.1, 0.4))
        held = {image.tobytes() for image in large.validation.images}
        assert {image.tobytes() for image in small.validation.images} < held

    def test_a_class_may_be_called_train(self, folder):
        (folder / "dog").rename(folder / "train")
        assert data.load(folder, image_size=(8, 8)).classes == ("cat", "train")

    def test_one_class_is_refused(self, tmp_path):
        (tmp_path / "cat").mkdir()
        with pytest.raises(InputError, match=r"two or more class folders.*cat"):
            data.load(tmp_path)

    def test_a_class_without_images_is_refused(self, folder):
        (folder / "eel").mkdir()
        with pytest.raises(InputError, match=r"at least 3 images.*eel"):
            data.load(folder)

    def test_a_test_folder_may_hold_one_image_a_class(self, folder, tmp_path_factory):
        root = tmp_path_factory.mktemp("few")
        (root / "train").symlink_to(folder)
        for name in ("cat", "dog"):
            (root / "test" / name).mkdir(parents=True)
            (root / "test" / name / "0.png").symlink_to(folder / name / "0.png")
        assert len(data.load(root, image_size=(8, 8)).test) == 2
        (root / "test" / "dog" / "0.png").unlink()
        with pytest.raises(InputError, match=r"at least 1 image in .*dog"):
            data.load(root)

    def test_a_missing_folder_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            data.load(tmp_path / "none")
        with pytest.raises(InputError, match="does not exist"):
            data.load("cifar10", data_dir=tmp_path / "none")

    def test_the_folder_of_tensorflow_datasets_need_not_be_there(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        asked = []
        monkeypatch.setattr(sources, "_from_tfds", lambda name, folder: asked.append(folder) or sources._digits())
        data.load("cifar10", data_dir=str(tmp_path / "tensorflow_datasets"))
        assert asked == [str(tmp_path / "tensorflow_datasets")]

    def test_other_data_do_not_ask_for_it(self, tmp_path):
        assert len(data.load("digits", data_dir=tmp_path / "none").test)

    def test_an_unknown_name_has_the_nearest(self):
        with pytest.raises(InputError, match="Did you mean 'cifar10'"):
            data.load("cifar11")
