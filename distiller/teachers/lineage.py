"""A folder of generations that knows what taught each of them."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from distiller.errors import InputError
from distiller.networks import fingerprint
from distiller.networks.saving import save_network
from distiller.teachers.loading import load

FIRST = "`first`"
_NAME = re.compile(r"generation-(\d+)\.(?:keras|json)")


@dataclass(frozen=True)
class Parent:
    """The teacher of a generation: "`first`" or "generation 2", and the digest of its weights."""

    name: str
    weights: str


class Lineage:
    """Networks in files `generation-K.keras`, and beside each but generation 0 its `Parent`, `generation-K.json`.

    A network is of the line only where its parent has the weights that taught it.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, number: int) -> bool:
        """True where that generation is there."""
        return self._network(number).exists()

    def read(self, number: int, expected: keras.Model, parent: Parent | None) -> keras.Model:
        """The network of a generation; `parent` is what would teach it now, None for generation 0.

        Raises:
            InputError: its architecture is not that of `expected`, or another network taught it.
        """
        file = self._network(number)
        network = load(file)
        if fingerprint.architecture(network) != fingerprint.architecture(expected):
            raise InputError(
                f"The file {str(file)!r} holds another network than `build` makes now. Name another folder, or "
                "delete it"
            )
        if parent is not None:
            self._compare(number, parent)
        return network

    def write(self, number: int, network: keras.Model, parent: Parent | None) -> None:
        """Keep a generation that was trained anew: those after it are of another line now, and are removed.

        The file is whole, or not there.
        """
        for old in self.folder.iterdir():
            name = _NAME.fullmatch(old.name)
            if name and int(name[1]) >= number:
                old.unlink()
        if parent is not None:
            self._record(number).write_text(json.dumps(asdict(parent)))
        file = self._network(number)
        scratch = file.with_name(f"{file.stem}.part.keras")
        save_network(network, scratch)
        scratch.replace(file)

    def check_start(self) -> None:
        """Raise InputError where generation 0 was given as `first` and is not now: all after it would be lost."""
        parent = self._parent(1) if self.has(1) and not self.has(0) else None
        if parent is not None and parent.name == FIRST:
            raise InputError(
                f"The file {str(self._network(1))!r} was taught by a network given as `first`. Give it again, name "
                "another folder, or delete the file"
            )

    def _compare(self, number: int, parent: Parent) -> None:
        file = str(self._network(number))
        stored = self._parent(number)
        if stored is None:
            raise InputError(
                f"The file {str(self._record(number))!r} is missing or damaged: it says what taught {file!r}. Name "
                "another folder, or delete the generation, which is then trained anew"
            )
        if stored.weights != parent.weights:
            given = "Give the network that taught it, name" if parent.name == FIRST else "Name"
            raise InputError(
                f"The file {file!r} was taught by another network than {parent.name}: one with weights of digest "
                f"{stored.weights}, and those of {parent.name} have {parent.weights}. {given} another folder, or "
                "delete the file, and the generation is trained anew"
            )

    def _parent(self, number: int) -> Parent | None:
        try:
            return Parent(**json.loads(self._record(number).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _network(self, number: int) -> Path:
        return self.folder / f"generation-{number}.keras"

    def _record(self, number: int) -> Path:
        return self.folder / f"generation-{number}.json"
