"""Methods of tensorflow-model-optimization: one small class for each."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from tflite.tfmot.rebuild import Rebuilt


@dataclass(frozen=True)
class Method(ABC):
    """A change of a Keras 2 network, with its options.

    Attributes:
        kind: its name in a configuration.
        quantizes: whether the network rounds as its integer file will.
        kinds: the methods by that name, which the package registers when it is imported.
    """

    kind: ClassVar[str]
    quantizes: ClassVar[bool] = False
    kinds: ClassVar[dict[str, type["Method"]]] = {}

    def __init_subclass__(cls) -> None:
        Method.kinds[cls.kind] = cls

    @property
    def pixels(self) -> tuple[float, float] | None:
        """For quantization, the range of inputs that a network rescales first; None for anything else."""
        return None

    @property
    def needs_kernels(self) -> bool:
        """True if the change depends on the numbers in the kernels."""
        return False

    @abstractmethod
    def apply(self, rebuilt: Rebuilt) -> Any:
        """The changed `tf_keras.Model`, with the same weights."""

    def frozen(self, network: Any) -> set[str]:
        """Names of variables that no gradient reaches, though Keras 2 counts them as trainable."""
        return set()

    def to_dict(self) -> dict[str, Any]:
        """Its name and options, for JSON."""
        return {"kind": self.kind, **asdict(self)}


def method_of(given: Method | dict[str, Any]) -> Method:
    """The method of a configuration, or the one that is given."""
    if isinstance(given, Method):
        return given
    # JSON has lists alone.
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    kind = str(options.pop("kind"))
    return Method.kinds[kind](**options)
