"""Files that an application needs beside a TFLite file: code for this very file, labels, a test of its outputs.

contract        what an application must know of a file: sizes, types, scales, labels
test_images     images, and the answers of the interpreter to them
platforms       the files of Android, iOS and microcontrollers, from `templates/`
bundling        `tflite.bundle`
"""

__all__: list[str] = []
