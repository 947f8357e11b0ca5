"""Training loops in PyTorch, as torchdistill and RepDistiller run them, on the residual networks of the zoo."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from distiller.models.blocks import SCALE, SHIFT

Step = Callable[[], list[float]]
CLASSES = 10
TEMPERATURE, WEIGHT = 4.0, 0.9
WAYS = ("float32", "float32, channels_last", "bfloat16", "bfloat16, channels_last")


class Unit(nn.Module):
    """A residual unit of two convolutions, with a 1×1 projection where the shape changes."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first = _conv(before, after, 3, stride)
        self.second = _conv(after, after, 3, 1)
        self.skip = _conv(before, after, 1, stride) if stride > 1 or before != after else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (batch, before, h, w) to (batch, after, h / stride, w / stride)."""
        found = self.second(functional.relu(self.first(x)))
        return functional.relu(found + (x if self.skip is None else self.skip(x)))


class ResNet(nn.Module):
    """ResNet of 6n+2 layers for CIFAR, with as many parameters and multiply-adds as `resnet` of the zoo."""

    def __init__(self, depth: int, width: int = 16):
        super().__init__()
        stages: list[nn.Module] = [_conv(3, width, 3, 1), nn.ReLU()]
        channels = width
        for stage in range(3):
            for unit in range((depth - 2) // 6):
                after = width * 2**stage
                stages.append(Unit(channels, after, 2 if stage and not unit else 1))
                channels = after
        self.body, self.logits = nn.Sequential(*stages), nn.Linear(channels, CLASSES)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (batch, 3, h, w) in [0, 255] to logits (batch, classes)."""
        return self.logits(self.body((pixels - SHIFT) / SCALE).mean((2, 3)))


def _conv(before: int, after: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after))


def size(depth: int, side: int = 32) -> tuple[int, int]:
    """Parameters, with the statistics of batch normalization, and multiply-adds of one image."""
    network = ResNet(depth).eval()
    parameters = sum(p.numel() for p in network.parameters())
    parameters += sum(b.numel() for b in network.buffers() if b.ndim)  # without the counters of batches
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    return parameters, counter.get_total_flops() // 2


def steps(student: int, teacher: int, batch: int) -> dict[str, Step]:
    """Every loop in every way, by "loop; way": alone, with a live teacher, and on stored teacher outputs.

    Args:
        student: depth of its residual network.
        teacher: depth of its residual network.
        batch: images per step.
    """
    made = {}
    for way in WAYS:
        cast = torch.autocast("cpu", torch.bfloat16, enabled=way.startswith("bfloat16"))
        form = torch.channels_last if "channels_last" in way else torch.contiguous_format
        makers = {"student": _alone, "logits": _with_teacher, "logits, stored answers": _with_stored_outputs}
        for name, make in makers.items():
            torch.manual_seed(0)
            pupil, tutor = (ResNet(depth).to(memory_format=form) for depth in (student, teacher))
            made[f"{name}; {way}"] = make(pupil, tutor, cast, _batches(batch, form))
    return made


def _batches(batch: int, form: torch.memory_format) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    images = [(255 * torch.rand(batch, 3, 32, 32)).contiguous(memory_format=form) for _ in range(4)]
    labels = [torch.randint(0, CLASSES, (batch,)) for _ in range(4)]
    while True:
        yield from zip(images, labels, strict=True)


def _step(
    student: nn.Module, cast: Any, loss_of: Callable[[], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
) -> Step:
    optimizer = torch.optim.SGD(student.parameters(), 1e-6, momentum=0.9, nesterov=True)
    student.train()

    def step() -> list[float]:
        with cast:
            loss, logits, labels = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # Both loops keep the loss and the accuracy of every step.
        return [loss.item(), (logits.argmax(1) == labels).float().mean().item()]

    return step


def _soft(student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    wanted = functional.softmax(teacher.float() / TEMPERATURE, 1)
    found = functional.log_softmax(student.float() / TEMPERATURE, 1)
    soft = functional.kl_div(found, wanted, reduction="batchmean") * TEMPERATURE**2
    return WEIGHT * soft + (1 - WEIGHT) * functional.cross_entropy(student.float(), labels)


def _alone(student: nn.Module, teacher: nn.Module, cast: Any, batches: Iterator[Any]) -> Step:
    def loss() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        images, labels = next(batches)
        logits = student(images)
        return functional.cross_entropy(logits.float(), labels), logits, labels

    return _step(student, cast, loss)


def _with_teacher(student: nn.Module, teacher: nn.Module, cast: Any, batches: Iterator[Any]) -> Step:
    teacher.eval()

    def loss() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        images, labels = next(batches)
        with torch.no_grad():
            wanted = teacher(images)
        logits = student(images)
        return _soft(logits, wanted, labels), logits, labels

    return _step(student, cast, loss)


def _with_stored_outputs(student: nn.Module, teacher: nn.Module, cast: Any, batches: Iterator[Any]) -> Step:
    def loss() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        images, labels = next(batches)
        logits = student(images)
        return _soft(logits, outputs, labels), logits, labels

    first, _ = next(batches)
    outputs = teacher.eval()(first).detach()
    return _step(student, cast, loss)
