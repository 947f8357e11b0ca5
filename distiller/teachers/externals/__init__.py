"""Teachers of other frameworks as networks of Keras.

wrapping        `teachers.external`, and the layer that calls out of Keras
sources         ONNX files, TFLite files and functions as functions of NumPy images
preparation     pixels as another framework's network takes them
"""

__all__: list[str] = []
