"""What is said of a teacher and a student before a training."""

import keras
import numpy as np
import pytest

from distiller import data, models
from distiller.runs.before_training import heavier, held_out


def by_brightness(scale=1.0, sign=1.0, offset=0.0):
    """A teacher of dark (0) and bright (1) images: the logits are ∓(mean of scaled pixels − middle)."""
    inputs = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    head = keras.layers.Dense(2)
    model = keras.Model(inputs, head(x))
    kernel = sign * np.array([[-1.0, 1.0]] * 3) / 3
    middle = 127.5 * scale + offset
    head.set_weights([kernel, sign * np.array([middle, -middle])])
    return model


def photos(wrong=4):
    """Twenty dark and twenty bright images, of which `wrong` have the other's label."""
    brightness = np.repeat([60, 190], 20)
    labels = np.repeat([0, 1], 20).astype("int32")
    labels[:wrong] = 1
    images = np.broadcast_to(brightness[:, None, None, None], (40, 4, 4, 3)).astype("uint8")
    return data.Split(images, labels)


def test_a_teacher_that_is_fit():
    found = held_out(by_brightness(), photos(), ["dark", "bright"])
    assert (found.accuracy, found.chance, found.images, found.cause) == (36 / 40, 24 / 40, 40, None)
    assert found.sentence == "The teacher is right for 90.0% of 40 held-out images (chance: 60.0%)"


@pytest.mark.parametrize(
    ("scale", "offset", "words"), [(1 / 255, 0, "divided by 255 "), (1 / 127.5, -1, "scaled to −1 … 1 ")]
)
def test_scaling_that_was_left_outside_is_found(scale, offset, words):
    """Raw pixels are all bright to it: right for the 24 of 40 that are, which is chance."""
    found = held_out(by_brightness(scale, offset=offset), photos(), ["dark", "bright"])
    assert (found.accuracy, found.chance) == (24 / 40, 24 / 40)
    assert "That cannot be told from chance. With pixels " + words in found.sentence
    assert "it is right for 90.0%: its scaling was left outside of the network" in found.sentence


def test_classes_in_another_order_are_found():
    found = held_out(by_brightness(sign=-1), photos(), ["dark", "bright"])
    assert found.accuracy == 4 / 40
    assert "With its classes in another order it is right for 90.0%" in found.cause
    assert found.cause.endswith("--classes bright,dark")


def test_of_a_teacher_that_knows_nothing_the_usual_cause_is_named():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 4, 4, 3)).astype("uint8")
    split = data.Split(images, np.tile([0, 1, 2], 20).astype("int32"))
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4, 4, 3))
    teacher = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    found = held_out(teacher, split, ["a", "b", "c"])
    assert found.chance == pytest.approx(1 / 3)
    assert "The usual cause is scaling that was left outside of the network" in found.cause


def test_a_heavier_student_is_named_with_both_costs_and_what_is_lighter():
    teacher, student = models.build("resnet20", 3, (8, 8, 3), width=12), models.build("wide", 3, (8, 8, 3))
    said = heavier(teacher, student, (8, 8, 3), 3)
    more = models.multiply_adds(student) / models.multiply_adds(teacher)
    assert f"{student.count_params():,} parameters against {teacher.count_params():,}" in said
    assert f"{more:.2g} times the multiply-adds" in said
    assert said.endswith("Lighter than the teacher: resnet8")
    assert heavier(student, teacher, (8, 8, 3), 3) is None


def test_a_student_with_more_multiply_adds_alone_is_heavier_too():
    inputs = keras.Input((8, 8, 3))
    teacher = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(500)(keras.layers.Flatten()(inputs))))
    said = heavier(teacher, models.build("resnet8", 3, (8, 8, 3)), (8, 8, 3), 3)
    assert "parameters" not in said
    assert "times the multiply-adds" in said
    assert said.endswith("No student of the zoo is lighter")
