"""Names of the workloads in recorded lines, which stay as they are; free of Keras, for making tables.

"Stored answers" are cached teacher outputs, and "bare layers" are Keras's own.
"""

STUDENT, TEACHER = "student", "teacher, forward"
STORED = "hinton, stored answers"
FROZEN, FROZEN_HINT = "hinton, frozen teacher", "hint, frozen teacher"
AWARE = "student, quantization-aware"

BATCHES, STORED_BATCHES = "batches, crop and flip", "batches, crop and flip, stored answers"

PLAIN_BARE = "student, bare layers"
LOGITS, LOGITS_BARE = "keras.distillation, logits", "keras.distillation, logits, bare layers"
FEATURES, FEATURES_BARE = "keras.distillation, features", "keras.distillation, features, bare layers"
