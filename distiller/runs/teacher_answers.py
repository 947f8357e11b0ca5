"""A teacher's answers to the views of a whole data set, stored for any number of students."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distiller import teachers
from distiller.data import Augmentation, Split
from distiller.recipes.schema import Data, Teacher
from distiller.runs.building import load_data, open_teacher
from distiller.runs.folder import check_output
from distiller.runs.on_ray import compute_parts
from distiller.teachers.caching.building import Build
from distiller.teachers.caching.cache import SHARD
from distiller.utils.disk import told_if_full
from distiller.utils.pace import Pace
from distiller.utils.progress import Reporter
from distiller.utils.ray_cluster import check, connected


@dataclass(frozen=True)
class TeacherAnswers:
    """Answers that are asked for: words and numbers alone, so that every machine can open them.

    Attributes:
        teacher: section of a recipe, of a teacher that is not trained first.
        data: section of a recipe; the training images are answered.
        data_dir: where tensorflow_datasets keeps its data.
        folder: of the cache.
        crop: pixels by which views are shifted at the most.
        flip: whether half of the views are mirrored.
        random_layers: names and arguments of layers of Keras, as a recipe's `training.augmentation`.
        layers: of the teacher, stored beside its logits.
        dtype: "float16" or "float32".
        top_k: logits kept of each answer.
        seed: of the views.
        passes: over the images.
        batch_size: images that the teacher sees at once.
        shard: samples of a file.
    """

    teacher: Teacher
    data: Data
    folder: Path
    data_dir: Path | None = None
    crop: int = 0
    flip: bool = False
    random_layers: tuple[Any, ...] = ()
    layers: tuple[str, ...] = ()
    dtype: str = "float16"
    top_k: int | None = None
    seed: int = 0
    passes: int = 1
    batch_size: int = 256
    shard: int = SHARD

    def open(self) -> tuple[teachers.Cache, Split, Augmentation]:
        """The cache, the images and the views.

        Raises:
            InputError: there is no such teacher or data, they do not fit, or the folder is another cache's.
        """
        dataset = load_data(self.data, self.data_dir)
        network = open_teacher(self.teacher, dataset)
        cache = teachers.Cache(self.folder, network, self.layers, dtype=self.dtype, top_k=self.top_k)
        return cache, dataset.train, Augmentation(self.crop, self.flip, list(self.random_layers) or None)

    @contextmanager
    def begun(self) -> Iterator[Build]:
        """The work on them, on any machine."""
        cache, images, views = self.open()
        with self.begin(cache, images, views) as work:
            yield work

    def begin(self, cache: teachers.Cache, images: Split, views: Augmentation) -> AbstractContextManager[Build]:
        """The work on what has been opened."""
        return cache.begin(
            images, views, seed=self.seed, passes=self.passes, batch_size=self.batch_size, shard=self.shard
        )


def store_answers(
    asked: TeacherAnswers,
    reporter: Reporter | None = None,
    *,
    ray: str | None = None,
    processes: int = 1,
    progress: Callable[[int], Any] | None = None,
) -> dict[str, Any]:
    """Compute what is missing of the answers; returns what `Cache.describe` says of them.

    Calls on several machines, or several times, share the work and go on with it; nothing that is there is computed
    again.

    Args:
        asked: which answers.
        reporter: where progress is shown, with the rate and the time left.
        ray: address of a Ray cluster, as of `distiller.utils.ray_cluster.connected`; without one this process works.
        processes: teachers at a time on each machine of the cluster, or on each of its GPUs.
        progress: called with the number of answers that are there.

    Raises:
        InputError: as of `TeacherAnswers.open` and `Cache.build`; or there is no such cluster.
        WorkError: a file cannot be written, or machines are lost again and again.
    """
    check_output(asked.folder)
    if ray is not None:
        check(ray)
    cache, images, views = asked.open()
    reporter = reporter or Reporter()
    with told_if_full(asked.folder, "call it again to go on"), asked.begin(cache, images, views) as work:
        with reporter.task("teacher outputs", work.images) as task:
            pace = Pace(task, work.images, "answers")
            for done in work.check_stored():
                pace.found(done)

            def show(done: int) -> None:
                pace.advance_to(done)
                if progress:
                    progress(done)

            if ray is None:
                for part in work.missing():
                    work.compute(part, show)
            else:
                with connected(ray):
                    compute_parts(asked.begun, work, show, processes)
        work.finish()
    return cache.describe()
