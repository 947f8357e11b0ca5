"""A teacher among several."""

from dataclasses import dataclass

import keras

from distiller.bridges import Bridge
from distiller.errors import InputError
from distiller.networks.feature_extraction import check_logits
from distiller.networks.subclassed import functional
from distiller.objectives.objective import positive


@dataclass(frozen=True)
class Member:
    """A teacher in an ensemble, and what stands between it and the student.

    Attributes:
        teacher: network with logits (batch, C) of its own classes.
        bridge: from its classes to the student's, where they differ.
        preprocessing: layer or model between the student's images and it: another scale of pixels, another number of
            channels. Where height and width still differ from what the teacher takes, they are resized (bilinear, with
            antialiasing).
        temperature: its logits are divided by it; above 1 for a teacher that is surer than right: `teachers.diagnose`
            says the calibrated one.

    Raises:
        InputError: a temperature that is not positive.
    """

    teacher: keras.Model
    bridge: Bridge | None = None
    preprocessing: keras.Layer | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        positive("temperature", self.temperature)

    def network(self, number: int, classes: int) -> keras.Model:
        """The teacher in the student's classes; `number` is the member's, for messages.

        Raises:
            InputError: the teacher is not built, returns no logits, has several inputs, or is in other classes.
        """
        try:
            teacher = functional(self.teacher, role="teacher")
            check_logits(teacher, role="teacher")
            network = (self.bridge or Bridge()).teacher(teacher, classes)
        except InputError as error:
            raise InputError(f"Member {number}: {error}") from error
        if network.output_shape[-1] != classes:
            raise InputError(
                f"Member {number}: behind {type(self.bridge).__name__} it has {network.output_shape[-1]} classes and "
                f"the student {classes}. Answers in different classes have no mean: pass a bridge to the student's"
            )
        if len(network.inputs) != 1:
            raise InputError(
                f"Member {number}: expected a teacher of one input. Received: {len(network.inputs)} inputs"
            )
        return network
