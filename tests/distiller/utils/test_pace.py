"""Rate and time left, of a clock that the test winds."""

from distiller.utils.pace import Pace


class Told:
    def __init__(self):
        self.steps, self.said = [], []

    def advance_to(self, step):
        self.steps.append(step)

    def say(self, message):
        self.said.append(message)


def test_what_was_there_before_is_no_work():
    now, task = [100.0], Told()
    pace = Pace(task, 10_000, "images", clock=lambda: now[0])
    pace.found(4000)
    for seconds, done in ((4, 4400), (8, 5600), (20, 6000), (30, 6000), (40, 10_000)):
        now[0] = 100.0 + seconds
        pace.advance_to(done)
    # 2000 images in 20 seconds, then 6000 in 40.
    assert task.said == ["6,000 of 10,000 images, 100 a second, 40 s left", "10,000 of 10,000 images, 150 a second"]
    assert task.steps == [4000, 4400, 5600, 6000, 10_000]


def test_slow_work():
    now, task = [0.0], Told()
    pace = Pace(task, 100, "images", clock=lambda: now[0])
    now[0] = 20.0
    pace.advance_to(10)
    assert task.said == ["10 of 100 images, 0.5 a second, 3 min left"]
