"""What is said of a start: its times, and whether it loaded TensorFlow."""

import pytest

from benchmarks.results import lines
from benchmarks.speed import startup


@pytest.mark.parametrize(
    ("seconds", "loads", "said"),
    [
        ([0.2, 0.3, 0.4], False, "met: `import distiller` in less than 0.5 s: 0.30 s (0.20 to 0.40), without"),
        ([0.2, 0.3, 0.6], False, "open: `import distiller` in less than 0.5 s: 0.30 s (0.20 to 0.60), without"),
        ([0.2, 0.7, 0.6], False, "missed: `import distiller` in less than 0.5 s: 0.60 s (0.20 to 0.70), without"),
        ([0.2, 0.3, 0.4], True, "missed: `import distiller` in less than 0.5 s: 0.30 s (0.20 to 0.40), with"),
    ],
)
def test_verdicts(seconds, loads, said):
    line = {
        "seconds": {"import distiller": seconds},
        "loads_tensorflow": {"import distiller": loads},
        "machine": {"processor": "A processor", "cores": 2},
    }
    assert startup.sentence(line) == f"{said} TensorFlow. 3 starts of each, in turn; A processor, 2 cores."


def test_a_run_is_recorded(tmp_path):
    assert startup.main(["--rounds", "1", "--out", str(tmp_path / "startup.jsonl")]) == 0
    (line,) = lines.read(tmp_path / "startup.jsonl")
    assert line["seconds"].keys() == startup.WAYS.keys()
    assert line["loads_tensorflow"] == dict.fromkeys(startup.WAYS, False)
