"""Weight clustering: each kernel has few distinct numbers, which train."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tflite.errors import ModelError
from tflite.quantization.saved import keras_model
from tflite.tfmot.library import library
from tflite.tfmot.methods import Method
from tflite.tfmot.rebuild import Rebuilt
from tflite.tfmot.selection import check_selected, selected, wrap

if TYPE_CHECKING:
    from pathlib import Path

    import keras


@dataclass(frozen=True)
class Clustered(Method):
    """Kernels made of centroids; see `cluster` for the options."""

    kind: ClassVar[str] = "cluster"
    clusters: int
    exclude: tuple[str, ...] = ()

    def apply(self, rebuilt: Rebuilt) -> Any:
        """The network with centroids in place of each kernel."""
        clustering = library().tfmot.clustering.keras
        from tensorflow_model_optimization.python.core.clustering.keras import clustering_registry

        kernels = clustering_registry.ClusteringRegistry._LAYERS_WEIGHTS_MAP
        chosen = selected(rebuilt, kernels, self.exclude)
        chosen = {name: kernel for name, kernel in chosen.items() if np.prod(kernel.shape) > self.clusters}
        check_selected(chosen, rebuilt, f"clustered in {self.clusters}")
        start = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
        return wrap(
            rebuilt,
            chosen,
            lambda layer: clustering.cluster_weights(
                layer, number_of_clusters=self.clusters, cluster_centroids_init=start
            ),
        )


def cluster(model: "keras.Model | str | Path", *, clusters: int, exclude: Iterable[str] = ()) -> "keras.Model":
    """A copy of a model to train on with few distinct numbers in each kernel (Han et al. 2015, 1510.00149, sec. 3).

    The numbers, the centroids, start with k-means++ on the weights and train; each weight is the centroid nearest to a
    number of its own, which trains too. Kernels of convolutions and dense layers that have more weights than clusters
    are clustered; depthwise kernels are left whole. A file of such a model compresses well. Take the result with
    `tflite.plain`. After it, `tflite.quantize_aware(…, engine="tfmot", preserve="clusters")` keeps the clusters in an
    integer file.

    Args:
        model: a trained functional or sequential model, or a `.keras` file of one. It stays as it is.
        clusters: distinct numbers a kernel, at least 2.
        exclude: names of layers that are left whole, or patterns such as "block1_*".

    Raises:
        ModelError: the model or an option is wrong, or tensorflow-model-optimization is not installed.
    """
    if clusters < 2:
        raise ModelError(f"Invalid value for `clusters`. Expected at least 2. Received: clusters={clusters}")
    model = keras_model(model)
    library()
    from tflite.quantization.checks import check
    from tflite.tfmot.network import wrapped

    check(model)
    excluded = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    return wrapped(model, Clustered(int(clusters), excluded))


def wrappers(network: Any) -> list[Any]:
    """The layers of a Keras 2 network that are made of centroids."""
    return [layer for layer in network.layers if hasattr(layer, "clustering_algorithms")]
