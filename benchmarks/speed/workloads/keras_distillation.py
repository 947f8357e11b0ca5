"""`keras.distillation` as a workload, on the networks of the Distiller and on the same with Keras's own kernels."""

from collections.abc import Callable
from typing import Any

import keras

from benchmarks.speed.workloads.names import FEATURES, FEATURES_BARE, LOGITS, LOGITS_BARE, PLAIN_BARE
from benchmarks.speed.workloads.setting import Setting
from benchmarks.speed.workloads.training_steps import MIDDLE, Workload


def keras_workloads(setting: Setting) -> list[Workload]:
    """Workloads that can run: features only where those of both networks agree in shape, since Keras has no adapter."""
    # The loss as an object: by its name, Keras compares logits without a softmax.
    logits = keras.distillation.LogitsDistillation(temperature=4.0, loss=keras.losses.KLDivergence())
    features = keras.distillation.FeatureDistillation("mse", teacher_layer_name=MIDDLE, student_layer_name=MIDDLE)
    found = [
        Workload(PLAIN_BARE, "peer", None, lambda setting: setting.training(without_fusing(setting.new_student()))),
        Workload(LOGITS, "peer", None, _distilling(logits, as_built)),
        Workload(LOGITS_BARE, "peer", None, _distilling(logits, without_fusing)),
    ]
    if not features_agree(setting):
        return found
    return [
        *found,
        Workload(FEATURES, "peer", MIDDLE, _distilling(features, as_built)),
        Workload(FEATURES_BARE, "peer", MIDDLE, _distilling(features, without_fusing)),
    ]


def features_agree(setting: Setting) -> bool:
    """True where the features in the middle of teacher and student have one shape."""
    teacher, student = (network.get_layer(MIDDLE) for network in (setting.shared_teacher, setting.new_student()))
    return teacher.output.shape == student.output.shape


def _distilling(loss: Any, prepare: Callable[[keras.Model], keras.Model]) -> Callable[[Setting], Callable[[], Any]]:
    def make(setting: Setting) -> Callable[[], Any]:
        # keras.distillation freezes its teacher, so it has one of its own.
        teacher, student = prepare(setting.new_teacher()), prepare(setting.new_student())
        return setting.training(keras.distillation.Distiller(teacher, student, loss, student_loss_weight=0.1))

    return make


def as_built(network: keras.Model) -> keras.Model:
    """Network with its fused kernels."""
    return network


def without_fusing(network: keras.Model) -> keras.Model:
    """Network with Keras's own kernels: a clone is not fused."""
    clone = keras.models.clone_model(network)
    clone.set_weights(network.get_weights())
    return clone
