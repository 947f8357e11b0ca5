"""Layers in fast kernels: they compute what Keras's do."""

import keras
import numpy as np
import pytest

from distiller import models


class TestNormalization:
    @staticmethod
    def pair(**options):
        """The same small network with Keras's normalization and with the fused one."""
        inputs = keras.Input((6, 6, 3))
        x = keras.layers.Conv2D(4, 3)(inputs)
        x = keras.layers.BatchNormalization(**options)(x)
        plain = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
        fused = models.fuse(keras.models.clone_model(plain))
        fused.set_weights(plain.get_weights())
        return plain, fused

    @pytest.mark.parametrize("options", [{}, {"momentum": 0.5}, {"scale": False}, {"center": False, "epsilon": 0.1}])
    def test_outputs_gradients_and_statistics_are_those_of_keras(self, options):
        import tensorflow as tf

        plain, fused = self.pair(**options)
        images = np.random.default_rng(0).normal(3.0, 2.0, (5, 6, 6, 3)).astype("float32")
        for training in (True, True, False):
            found = []
            for model in (plain, fused):
                with tf.GradientTape() as tape:
                    outputs = model(images, training=training)
                    loss = tf.reduce_sum(outputs**2)
                found.append([outputs, *tape.gradient(loss, model.trainable_variables), *model.get_weights()])
            for a, b in zip(*found, strict=True):
                np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)

    def test_frozen_layers_keep_their_statistics(self):
        _, fused = self.pair()
        fused.trainable = False
        before = fused.get_weights()
        fused(np.random.default_rng(0).normal(size=(5, 6, 6, 3)), training=True)
        for a, b in zip(before, fused.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "mixed_float16", "mixed_bfloat16"])
    def test_in_other_precisions(self, dtype):
        """It trains as Keras's own does, in the kernel or not."""
        plain, fused = self.pair(dtype=dtype, momentum=0.5)
        images = np.random.default_rng(0).normal(3.0, 2.0, (5, 6, 6, 3)).astype("float32")
        answers = [np.asarray(model(images, training=True), "float64") for model in (plain, fused)]
        np.testing.assert_allclose(*answers, rtol=0.05, atol=0.05)
        for a, b in zip(plain.layers[2].get_weights(), fused.layers[2].get_weights(), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a.astype("float64"), b.astype("float64"), rtol=0.02, atol=0.02)

    def test_what_the_kernel_cannot_take_stays(self):
        inputs = keras.Input((6, 4))
        model = models.fuse(keras.Model(inputs, keras.layers.BatchNormalization()(inputs)))
        assert "call" not in vars(model.layers[-1])
        assert np.isfinite(model(np.ones((2, 6, 4)))).all()


def gradients(model, images, weights):
    """Outputs, and the gradients of their weighted sum by the images and by the variables."""
    import tensorflow as tf

    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, weights.dtype) * weights)
    return [outputs, *tape.gradient(loss, [images, *model.trainable_variables])]


class TestDepthwise:
    """A convolution in bfloat16 against the same in float64."""

    @staticmethod
    def network(dtype, size=(None, None), **options):
        inputs = keras.Input((*size, 4), dtype="float64" if dtype == "float64" else "float32")
        layer = keras.layers.DepthwiseConv2D(
            3, dtype=dtype, bias_initializer="normal", name="depthwise", **{"strides": 2} | options
        )
        return keras.Model(inputs, layer(inputs))

    @pytest.mark.parametrize("size", [(8, 8), (7, 10)])
    @pytest.mark.parametrize(
        "options",
        [
            {"padding": "same"},
            {"padding": "valid", "use_bias": False},
            {"padding": "same", "strides": 3, "depth_multiplier": 2},
            {"padding": "same", "activation": "tanh"},
            {"padding": "same", "dilation_rate": 2},
        ],
    )
    def test_outputs_and_gradients_are_those_of_the_convolution(self, size, options):
        exact, fused = self.network("float64", **options), models.fuse(self.network("mixed_bfloat16", **options))
        generator = np.random.default_rng(0)
        # Numbers that bfloat16 holds, so that what differs is what the layer rounds.
        weights = [np.round(generator.normal(size=w.shape) * 8) / 8 for w in exact.get_weights()]
        images = np.round(generator.normal(size=(3, *size, 4)) * 8) / 8
        for model in (exact, fused):
            model.set_weights(weights)
        upstream = np.round(generator.normal(size=exact(images).shape) * 8) / 8
        expected = gradients(exact, images, upstream)
        found = gradients(fused, images.astype("float32"), upstream.astype("float32"))
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_allclose(np.asarray(b, "float64"), a, rtol=0.02, atol=0.02 * np.abs(a).max())

    @pytest.mark.parametrize(
        ("dtype", "options", "fused"),
        [
            ("mixed_bfloat16", {"strides": 2}, True),
            ("mixed_bfloat16", {"strides": 1}, False),
            ("mixed_bfloat16", {"strides": 2, "dilation_rate": 2}, False),
            ("float32", {"strides": 2}, False),
        ],
    )
    def test_changes_the_slow_kernel_alone(self, dtype, options, fused):
        model = models.fuse(self.network(dtype, **options))
        assert ("call" in vars(model.get_layer("depthwise"))) is fused

    def test_a_quantization_aware_convolution_learns_as_it_does_without(self):
        """On weights and images that its integers hold, so that rounding moves nothing in either precision."""
        import tflite

        generator = np.random.default_rng(0)
        kernel = generator.integers(-127, 128, (3, 3, 4, 1)).astype("float64")
        kernel[0, 0] = 127  # the scale of each channel is one
        images = np.round(generator.uniform(0, 255, (3, 8, 8, 4)))
        exact = self.network("float64", padding="same", use_bias=False)
        exact.set_weights([kernel])
        model = self.network("mixed_bfloat16", (8, 8), padding="same", use_bias=False)
        model.set_weights([kernel])
        aware = models.fuse(tflite.quantize_aware(model, input_range=(0.0, 255.0)))
        assert "call" in vars(aware.get_layer("depthwise"))
        upstream = np.round(generator.normal(size=exact(images).shape) * 8) / 8
        # Of the input's gradient too, where its number is inside of the range.
        for at in (1, -1):
            expected = gradients(exact, images, upstream)[at]
            found = np.asarray(gradients(aware, images.astype("float32"), upstream.astype("float32"))[at], "float64")
            np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02 * np.abs(expected).max())

    def test_a_frozen_layer_is_computed_by_keras(self):
        """The graph optimizer fuses its operators, and nobody asks for its gradient."""
        import tensorflow as tf

        model = models.fuse(self.network("mixed_bfloat16", padding="same"))
        model.trainable = False
        images = np.ones((1, 8, 8, 4), "float32")
        graph = tf.function(model).get_concrete_function(tf.TensorSpec(images.shape)).graph
        assert "IdentityN" not in {operation.type for operation in graph.get_operations()}  # of a custom gradient
        model.trainable = True
        graph = tf.function(model).get_concrete_function(tf.TensorSpec(images.shape)).graph
        assert "IdentityN" in {operation.type for operation in graph.get_operations()}

    def test_no_gradient_of_a_strided_convolution_is_in_bfloat16(self):
        import tensorflow as tf

        model = models.build("mobilenet_v2", 10, dtype="mixed_bfloat16", width=0.1)

        @tf.function
        def step(images):
            return gradients(model, images, np.ones((2, 10), "float32"))

        graph = step.get_concrete_function(tf.TensorSpec((2, 32, 32, 3))).graph
        slow = [
            operation.get_attr("strides")
            for operation in graph.get_operations()
            if operation.type == "DepthwiseConv2dNativeBackpropInput" and operation.get_attr("T") == tf.bfloat16
        ]
        assert slow == [[1, 1, 1, 1]] * 14  # 17 units, of which 3 have strides


def test_a_fused_network_becomes_an_integer_file_as_any_other(tmp_path):
    import tflite

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Rescaling(1 / 64, -2.0)(inputs)
    for layer in (
        keras.layers.DepthwiseConv2D(3, strides=2, dtype="mixed_bfloat16", name="depthwise"),
        keras.layers.BatchNormalization(dtype="mixed_bfloat16", name="norm"),
        keras.layers.Activation("relu6", dtype="mixed_bfloat16"),
        keras.layers.GlobalAveragePooling2D(dtype="float32"),
        keras.layers.Dense(3),
    ):
        x = layer(x)
    model = models.fuse(keras.Model(inputs, x))
    assert all("call" in vars(model.get_layer(name)) for name in ("depthwise", "norm"))
    images = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype("float32")
    tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=images)
    kinds = {operator.name for operator in tflite.inspect(tmp_path / "a.tflite").operators}
    assert "DEPTHWISE_CONV_2D" in kinds
    assert kinds.isdisjoint({"MINIMUM", "MAXIMUM", "RELU6"})
