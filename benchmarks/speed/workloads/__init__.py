"""Workloads that are timed: training steps, the input pipeline, `keras.distillation` and PyTorch loops."""
