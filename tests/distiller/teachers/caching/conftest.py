"""Caches of a small teacher's answers, to read, to build and to harm."""

import shutil

import keras
import pytest
from support.caches import VIEWS, images, network

from distiller.teachers.caching.cache import Cache


@pytest.fixture(scope="module")
def split():
    return images()


@pytest.fixture(scope="module")
def teacher():
    keras.utils.set_random_seed(1)
    return network()


@pytest.fixture
def build(tmp_path, teacher, split):
    """Builds two passes; arguments of `Cache` and of `Cache.build` together."""

    def make(folder="cache", **options):
        form = {key: options.pop(key) for key in ("layers", "dtype", "top_k") if key in options}
        cache = Cache(tmp_path / folder, options.pop("teacher", teacher), **form)
        options = {"split": split, "augmentation": VIEWS, "passes": 2, "batch_size": 8, **options}
        return cache.build(**options)

    return make


@pytest.fixture(scope="module")
def stored(tmp_path_factory, teacher, split):
    """A cache that tests only read: two passes in float16, seed 0."""
    folder = tmp_path_factory.mktemp("stored")
    Cache(folder, teacher).build(split, VIEWS, passes=2, batch_size=8)
    return folder


@pytest.fixture
def copied(stored, tmp_path):
    """The same, to be harmed."""
    return shutil.copytree(stored, tmp_path / "cache")
