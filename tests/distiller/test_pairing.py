"""What networks and bridges have to have in common."""

import keras
import pytest

from distiller import Distiller, bridges, objectives
from distiller.errors import InputError


def network(size, classes):
    """One that would answer images of any size."""
    inputs = keras.Input((size, size, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, name="maps")(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes)(x))


@pytest.mark.parametrize("options", [{}, {"teacher_layer": "maps", "student_layer": "maps"}])
def test_a_bridged_network_of_other_images_is_refused(options):
    bridge = bridges.Probe()
    bridge.network = network(9, 3)
    objective = objectives.Hint(**options) if options else objectives.Hinton()
    with pytest.raises(InputError, match=r"behind Probe to take the student's input. Received: .*9, 9.* and .*6, 6"):
        Distiller(teacher=network(6, 7), student=network(6, 3), objectives={"soft": objective}, bridge=bridge)


def test_a_teacher_of_other_images_is_refused():
    with pytest.raises(InputError, match=r"to take the same input. Received: .*9, 9.* and .*6, 6"):
        Distiller(teacher=network(9, 3), student=network(6, 3), objectives={"soft": objectives.Hinton()})


def test_one_input_in_a_list_is_that_input():
    inputs = keras.Input((6, 6, 1))
    teacher, student = (keras.Model([inputs], network(6, classes)(inputs)) for classes in (7, 3))
    made = Distiller(
        teacher=teacher, student=student, objectives={"soft": objectives.Hinton()}, bridge=bridges.Subset([0, 2, 4])
    )
    assert made.teacher.output_shape == (None, 3)
