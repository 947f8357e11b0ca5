"""The second engine: quantization, pruning and clustering by tensorflow-model-optimization, which knows Keras 2 alone.

A Keras 3 model is written anew in Keras 2, changed there, and comes back as one layer of a Keras 3 model, whose
variables are those of the Keras 2 network. The import of tensorflow-model-optimization changes the process: it happens
in `library.py`, where it is needed, and what it changes is put back.

prune        a trainable copy of a model whose smallest weights become zero
cluster      a trainable copy of a model with few distinct numbers in each kernel
plain        what pruning or clustering made, as a plain model
PruningStep  the callback of a training with pruning
"""

from tflite.tfmot.clustering import cluster
from tflite.tfmot.pruning import prune
from tflite.tfmot.quantizing import Quantized
from tflite.tfmot.stripping import plain

__all__ = ["Quantized", "cluster", "plain", "prune"]
