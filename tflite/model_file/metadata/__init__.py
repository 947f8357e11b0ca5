"""TFLite Metadata: class labels, and the normalization of images.

It is written as TFLite Metadata, in the file itself: a flatbuffer in the model's metadata entry "TFLITE_METADATA", and
the labels as a text file in a zip archive at the end, which the interpreter does not see. That is what MediaPipe
Tasks, ML Kit, the Task Library and `MetadataExtractor` of the TensorFlow Lite Support Library read on a phone; JSON in
an entry of our own would need code of our own there. `unzip student.tflite labels.txt` works too. The package
`tflite-support`, which writes the same, has had no release since 2023 and asks for an old protobuf.
"""

__all__: list[str] = []
