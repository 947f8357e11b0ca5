"""A fitted bridge serves the teacher that it was fitted on, and no other."""

import copy
import pickle

import keras
import numpy as np
import pytest
from support.label_spaces import COARSE, answer, images, network

from distiller import Distiller, bridges, objectives, teachers
from distiller.errors import InputError


class Remembering(bridges.Fitted):
    """The least a fitted bridge does."""

    def fit(self, teacher):
        self.network = bridges.Subset(range(COARSE)).teacher(teacher, COARSE)
        self._fitted_on(teacher)
        return self


FIT = {
    "remembering": lambda teacher, data: Remembering().fit(teacher),
    "transport": lambda teacher, data: bridges.Transport().fit(teacher, data, data, COARSE),
    "probe": lambda teacher, data: bridges.Probe().fit(teacher, data, data, COARSE),
    "fine_tune": lambda teacher, data: bridges.FineTune().fit(teacher, data, COARSE, verbose=0),
}


@pytest.fixture(params=FIT)
def fitted(request):
    """A teacher and a bridge fitted on it."""
    teacher = network()
    return teacher, FIT[request.param](teacher, images())


def test_another_teacher_is_refused(fitted):
    _, bridge = fitted
    with pytest.raises(
        InputError, match=f"{type(bridge).__name__} was fitted on another teacher: the weights of 'teacher'"
    ):
        Distiller(
            teacher=network(seed=2),
            student=network(COARSE, seed=3),
            objectives={"soft": objectives.Hinton()},
            bridge=bridge,
        )


def test_its_own_teacher_may_have_learned_since(fitted):
    teacher, bridge = fitted
    teacher.set_weights([weights + 1 for weights in teacher.get_weights()])
    assert bridge.teacher(teacher, COARSE) is bridge.network


def test_a_teacher_of_the_same_weights_is_the_same(fitted, tmp_path):
    teacher, bridge = fitted
    teacher.save(tmp_path / "teacher.keras")
    inputs = keras.Input(teacher.input_shape[1:])
    for same in (
        keras.saving.load_model(tmp_path / "teacher.keras"),
        keras.Model(inputs, teacher(inputs)),
        keras.Sequential([inputs, teacher]),
        network(),
    ):
        assert bridge.teacher(same, COARSE) is bridge.network


def test_the_teacher_may_be_gone(tmp_path):
    bridge = FIT["transport"](network(), images())
    bridge.network = keras.models.clone_model(bridge.network)  # which shares nothing with the teacher
    assert bridge.teacher(network(), COARSE) is bridge.network
    with pytest.raises(InputError, match="another teacher"):
        bridge.teacher(network(seed=2), COARSE)


def test_nothing_is_known_of_a_network_that_was_put_there():
    bridge = bridges.Probe()
    bridge.network = network(COARSE, seed=5)
    assert bridge.teacher(network(seed=2), COARSE) is bridge.network


def test_an_ensemble_names_the_member(fitted):
    _, bridge = fitted
    members = [teachers.Member(network(seed=2), bridge=bridge)]
    with pytest.raises(InputError, match=r"Member 1: .* was fitted on another teacher"):
        teachers.ensemble(members, COARSE)


@pytest.mark.parametrize("through", [copy.deepcopy, lambda bridge: pickle.loads(pickle.dumps(bridge))])
def test_a_copy_knows_it_too(through):
    x, _ = images()
    teacher = network()
    bridge = through(FIT["transport"](teacher, images()))
    assert np.isfinite(answer(bridge.teacher(teacher, COARSE), x)).all()
    with pytest.raises(InputError, match="another teacher"):
        bridge.teacher(network(seed=2), COARSE)
