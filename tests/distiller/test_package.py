"""The package: its parts are reached from it, and load when they are."""

import json
import subprocess
import sys

import distiller
from distiller import recipes


def test_everything_public_is_reached_and_told():
    for name in set(distiller.__all__) - {"__version__"}:
        assert getattr(distiller, name).__doc__
        assert f"\n    {name} " in distiller.__doc__


def test_a_part_is_reached_from_a_fresh_import():
    code = "import distiller; print(distiller.optimizers.DOT.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "DOT\n"


def test_import_loads_no_framework():
    code = "import json, sys, distiller; print(json.dumps([n for n in ('tensorflow', 'keras') if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) == []


def test_recipes_are_read_without_a_framework_and_those_with_layers_of_keras_without_its_chatter(tmp_path):
    """TensorFlow's lines about CPU features stood before every training."""
    text = recipes.text("cifar100_to_cifar10").replace(
        "\ntraining:", "\ntraining:\n  augmentation: [{name: RandomInvert}]"
    )
    (tmp_path / "layers.yaml").write_text(text)
    code = (
        "import sys; from distiller import recipes; recipes.read('cifar100_to_cifar10'); print('keras' in sys.modules);"
        f"print(recipes.read({str(tmp_path / 'layers.yaml')!r}).training.augmentation)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n[{'name': 'RandomInvert'}]\n"
    assert "oneDNN" not in done.stderr
    assert "InitializeLog" not in done.stderr
