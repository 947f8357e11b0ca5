"""Read by every Python process of the tests when it starts: no connection beyond this machine goes unseen."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parent.parent / "connections.py"))["start"]()
