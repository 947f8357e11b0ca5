"""The package: its parts are reached from it, and load when they are."""

import json
import subprocess
import sys

import distiller


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
