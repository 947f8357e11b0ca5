"""Layers with a fake-quantized kernel in place of plain ones.

Keras finds the classes of a saved model by their registered names: import this module before
`keras.models.load_model` loads a quantization-aware model.
"""

from typing import Any

import keras
from keras import ops

from tflite.quantization.layers import register
from tflite.quantization.numerics import fake_quant_kernel, round_kernel


class _AwareKernel:
    """A layer whose kernel is rounded in each step; the variable keeps the exact numbers."""

    def __init__(self: Any, *args: Any, bits: int = 8, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.bits = bits

    def add_weight(self: Any, *args: Any, name: str | None = None, **kwargs: Any) -> Any:
        """As `keras.layers.Layer.add_weight`; the kernel is never cast before it is rounded."""
        if name == "kernel":
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)  # type: ignore[misc]

    def rounded_kernel(self: Any) -> Any:
        """The kernel on the grid of its integers, float32."""
        return round_kernel(ops.convert_to_tensor(self.kernel), axes=self._other_axes(), bits=self.bits)

    def fake_quantized_kernel(self: Any) -> Any:
        """The rounded kernel in the layer's compute dtype, with gradients as if it were not rounded."""
        kernel = ops.convert_to_tensor(self.kernel)
        return ops.cast(fake_quant_kernel(kernel, axes=self._other_axes(), bits=self.bits), self.compute_dtype)

    def _other_axes(self: Any) -> tuple[int, ...]:
        """The axes of the kernel that are not output channels."""
        rank = len(self.kernel.shape)
        return tuple(axis for axis in range(rank) if axis - rank not in self.channel_axes)

    def _biased(self: Any, outputs: Any) -> Any:
        return outputs if self.bias is None else outputs + ops.convert_to_tensor(self.bias)

    def get_config(self: Any) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "bits": self.bits}  # type: ignore[misc]


class _AwareConvolution(_AwareKernel):
    channel_axes = (-1,)

    def call(self: Any, inputs: Any) -> Any:
        """The convolution with the rounded kernel."""
        inputs, padding = self._padded(inputs)
        outputs = ops.conv(
            inputs,
            self.fake_quantized_kernel(),
            strides=list(self.strides),
            padding=padding,
            dilation_rate=self.dilation_rate,
        )
        return self._biased(outputs)

    def _padded(self: Any, inputs: Any) -> Any:
        """Inputs and padding for `ops.conv`."""
        return inputs, self.padding


class _AwareDepthwiseConvolution(_AwareKernel):
    channel_axes = (-2, -1)

    def call(self: Any, inputs: Any) -> Any:
        """The convolution with the rounded kernel."""
        return self._biased(
            ops.depthwise_conv(
                inputs,
                self.fake_quantized_kernel(),
                strides=self.strides,
                padding=self.padding,
                dilation_rate=self.dilation_rate,
            )
        )


@register
class AwareConv1D(_AwareConvolution, keras.layers.Conv1D):
    """A Conv1D without activation that rounds its kernel, one scale for each output channel."""

    def _padded(self, inputs: Any) -> Any:
        if self.padding != "causal":
            return inputs, self.padding
        past = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        return ops.pad(inputs, ((0, 0), (past, 0), (0, 0))), "valid"


@register
class AwareConv2D(_AwareConvolution, keras.layers.Conv2D):
    """A Conv2D without activation that rounds its kernel, one scale for each output channel."""


@register
class AwareDepthwiseConv1D(_AwareDepthwiseConvolution, keras.layers.DepthwiseConv1D):
    """A DepthwiseConv1D without activation that rounds its kernel, one scale for each output channel."""


@register
class AwareDepthwiseConv2D(_AwareDepthwiseConvolution, keras.layers.DepthwiseConv2D):
    """A DepthwiseConv2D without activation that rounds its kernel, one scale for each output channel."""


class _AwareTransposedConvolution(_AwareKernel):
    channel_axes = (-2,)

    def call(self: Any, inputs: Any) -> Any:
        """The convolution with the rounded kernel."""
        return self._biased(
            ops.conv_transpose(
                inputs,
                self.fake_quantized_kernel(),
                strides=list(self.strides),
                padding=self.padding,
                output_padding=self.output_padding,
                dilation_rate=self.dilation_rate,
            )
        )


@register
class AwareConv1DTranspose(_AwareTransposedConvolution, keras.layers.Conv1DTranspose):
    """A Conv1DTranspose without activation that rounds its kernel, one scale for each output channel."""


@register
class AwareConv2DTranspose(_AwareTransposedConvolution, keras.layers.Conv2DTranspose):
    """A Conv2DTranspose without activation that rounds its kernel, one scale for each output channel."""


@register
class AwareDense(_AwareKernel, keras.layers.Dense):
    """A Dense without activation that rounds its kernel, one scale for each output."""

    channel_axes = (-1,)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The product with the rounded kernel."""
        return self._biased(ops.matmul(inputs, self.fake_quantized_kernel()))


AWARE: dict[Any, Any] = {
    keras.layers.Conv1D: AwareConv1D,
    keras.layers.Conv2D: AwareConv2D,
    keras.layers.DepthwiseConv1D: AwareDepthwiseConv1D,
    keras.layers.DepthwiseConv2D: AwareDepthwiseConv2D,
    keras.layers.Conv1DTranspose: AwareConv1DTranspose,
    keras.layers.Conv2DTranspose: AwareConv2DTranspose,
    keras.layers.Dense: AwareDense,
}
