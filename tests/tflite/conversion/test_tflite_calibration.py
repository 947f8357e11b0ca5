"""Ranges of activations, against NumPy on the numbers themselves."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite import ModelError
from tflite.conversion.calibration import BINS, Histogram, mse_range, percentile_range, rounded


def histogram(*batches):
    found = Histogram()
    for step in (found.widen, found.count):
        for batch in batches:
            step(batch)
    return found


def numbers(name):
    random = np.random.default_rng(0)
    return {
        "normal": random.normal(size=20_000),
        "laplace with outliers": np.concatenate([random.laplace(size=20_000), [40.0, -25.0]]),
        "after a relu": np.maximum(0, random.normal(size=20_000)),
        "negative": -np.abs(random.normal(size=20_000)),
    }[name].astype("float32")


ALL = ["normal", "laplace with outliers", "after a relu", "negative"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("percentile", [99.0, 99.9])
def test_percentiles_are_those_of_numpy(name, percentile):
    values = numbers(name)
    found = percentile_range(histogram(values[:5000], values[5000:]), percentile)
    for end, share in zip(found, (1 - percentile / 100, percentile / 100), strict=True):
        below, above = neighbours(values, share)
        width = float(values.max() - min(0, values.min())) / BINS
        assert below - 2 * width <= end <= above + 2 * width


def neighbours(values, share):
    """The numbers between which NumPy's definitions of a percentile lie, and zero where that is outside."""
    outside = min if share < 0.5 else max
    methods = ("lower", "higher")
    return tuple(outside(0.0, float(np.percentile(values, 100 * share, method=method))) for method in methods)


def test_percentile_100_is_the_whole_range():
    values = numbers("normal")
    assert percentile_range(histogram(values), 100) == (values.min(), values.max())
    assert percentile_range(histogram(values + 10), 100) == (0, (values + 10).max())


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bits", [4, 8])
def test_the_least_error_is_that_of_trying_everything(name, bits):
    values = numbers(name)

    def error(low, high):
        most = 2**bits - 1
        scale = (high - low) / most
        zero = np.round(-low / scale)
        integers = np.clip(np.round(values.astype("float64") / scale) + zero, 0, most)
        return np.mean(((integers - zero) * scale - values) ** 2)

    lows, highs = (sorted({0.0, *np.linspace(0, end, 30)}) for end in (min(0, values.min()), max(0, values.max())))
    least = min(error(low, high) for low in lows for high in highs if high > low)
    found = mse_range(histogram(values), bits=bits, symmetric=False)
    assert error(*found) <= 1.05 * least
    assert error(*found) <= error(min(0, values.min()), max(0, values.max())) * 1.001


def test_the_least_error_of_a_symmetric_range():
    values = numbers("laplace with outliers")
    low, high = mse_range(histogram(values), bits=8, symmetric=True)
    assert low == -high

    def error(end):
        return np.mean((rounded(values, -end, end, bits=8, symmetric=True) - values) ** 2)

    assert error(high) <= 1.02 * min(error(end) for end in np.linspace(1, 40, 200))
    assert high < 40


def test_a_tensor_of_zeros_has_a_range():
    for found in (percentile_range, mse_range):
        options = {"percentile": 99.9} if found is percentile_range else {"bits": 8, "symmetric": False}
        assert found(histogram(np.zeros(10, "float32")), **options) == (0, 0)


@pytest.fixture(scope="module")
def outlying():
    """A linear network of 16 pixels, and images of which one is much brighter than the others."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3, name="out")])
    images = np.random.default_rng(0).integers(0, 64, (400, 4, 4, 1)).astype("float32")
    images[7] = 255
    return model, images


def interval(port):
    """The range that the integers of a port stand for."""
    limits = np.iinfo(port.dtype)
    return tuple((limit - port.zero_point) * port.scale for limit in (limits.min, limits.max))


def test_ranges_of_files_are_those_of_the_numbers(outlying, tmp_path):
    model, images = outlying
    kernel, bias = model.get_layer("out").get_weights()
    scale = np.abs(kernel).max(axis=0) / 127
    outputs = images.reshape(400, 16) @ (np.rint(kernel / scale) * scale) + bias
    for calibration, (least, most) in [
        ("minmax", ((outputs.min(),) * 2, (outputs.max(),) * 2)),
        ("percentile", (neighbours(outputs, 0.01), neighbours(outputs, 0.99))),
        ("mse", tuple((end, end) for end in mse_range(histogram(outputs), bits=8, symmetric=False))),
    ]:
        made = tflite.convert(
            model,
            tmp_path / "a.tflite",
            scheme="int8",
            representative=images,
            calibration=calibration,
            percentile=99.0 if calibration == "percentile" else None,
        )
        # Zero is moved onto the grid, by half a step at most, and the converter measures with exact kernels.
        slack = 1.5 * made.output.scale
        low, high = interval(made.output)
        assert least[0] - slack <= low <= least[1] + slack
        assert most[0] - slack <= high <= most[1] + slack
        assert (made.input.scale, made.input.zero_point) == (1.0, 0)


def test_16_bit_ranges_are_symmetric(outlying, tmp_path):
    model, images = outlying
    most = {}
    for calibration in ("minmax", "percentile", "mse"):
        path = tmp_path / f"{calibration}.tflite"
        options = {"input_type": "int16", "output_type": "int16", "calibration": calibration}
        if calibration == "percentile":
            options["percentile"] = 99.0
        made = tflite.convert(model, path, scheme="int16x8", representative=images, **options)
        assert (made.input.dtype, made.output.dtype, made.output.zero_point) == ("int16", "int16", 0)
        most[calibration] = made.output.scale * 32767
        got = tflite.model_file.interpreter.Runner(path)(images[:5])
        np.testing.assert_allclose(got, np.asarray(model(images[:5])), atol=0.02 * np.abs(got).max())
    outputs = np.asarray(model(images))
    assert most["minmax"] == pytest.approx(np.abs(outputs).max(), rel=0.01)
    below, above = neighbours(outputs, 0.01)
    assert -above * 0.98 <= most["percentile"] <= -below * 1.02


@pytest.mark.parametrize("calibration", ["percentile", "mse"])
def test_calibrated_networks_agree_with_the_float_one(network, digits, held_out, tmp_path, calibration):
    path = tmp_path / "a.tflite"
    tflite.convert(network, path, scheme="int8", representative=digits.images[:100], calibration=calibration)
    assert tflite.inspect(path).is_integer
    assert tflite.inspect(path).findings == ()
    assert tflite.compare(network, path, held_out.images).agreement > 0.98


def test_same_images_same_bytes(outlying, tmp_path):
    model, images = outlying
    options = {"scheme": "int8", "representative": images, "calibration": "mse"}
    one, other = (tflite.convert(model, tmp_path / name, **options).path for name in ("a.tflite", "b.tflite"))
    assert one.read_bytes() == other.read_bytes()


def test_arguments(outlying, tmp_path):
    model, images = outlying
    int8 = {"scheme": "int8", "representative": images}
    for options, message in [
        ({**int8, "calibration": "entropy"}, r"`calibration`. Expected one of \['minmax', 'percentile', 'mse'\]"),
        ({"calibration": "mse"}, r"`calibration` only with a scheme of \['int8'.*with scheme='float32'"),
        ({**int8, "percentile": 99.0}, r"`percentile` only with calibration='percentile'. Received: percentile=99.0"),
        ({**int8, "calibration": "percentile", "percentile": 50}, "`percentile`. Expected above 50, at most 100"),
        ({"scheme": "int8", "calibration": "mse"}, "Expected `representative` images for scheme='int8'"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.convert(model, tmp_path / "a.tflite", **options)
    inputs = keras.Input((4, 4, 1))
    bent = keras.Model(inputs, layers.Flatten()(layers.Activation("elu", name="bend")(layers.Conv2D(2, 1)(inputs))))
    way_out = r"the layer 'bend'.* or convert with calibration='minmax', or use tflite.quantize_aware\(.*'bend'"
    with pytest.raises(ModelError, match=way_out):
        tflite.convert(bent, tmp_path / "a.tflite", **int8, calibration="mse")
    with pytest.raises(ModelError, match=r"the layer 'bend'.* in its place, or use tflite.quantize_aware\(.*'bend'"):
        tflite.convert(bent, tmp_path / "a.tflite", **{**int8, "scheme": "int4"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("calibration", ["minmax", "percentile", "mse"])
def test_images_in_a_unit_range_before_a_rescaling_layer(calibration, tmp_path):
    """Only raw pixels have the range of raw pixels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(2.0, -1.0)(inputs)
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(x))
    model = keras.Model(inputs, keras.layers.Dense(6)(x))
    images = np.random.default_rng(0).uniform(size=(64, 8, 8, 1)).astype("float32")
    options = {"scheme": "int8", "representative": images, "calibration": calibration, "input_type": "int8"}
    made = tflite.convert(model, tmp_path / "a.tflite", **options)
    assert made.input.scale == pytest.approx(1 / 255, rel=0.02)
    exact = np.asarray(model(images))
    error = tflite.model_file.interpreter.Runner(made.path)(images) - exact
    assert np.sqrt(np.mean(error**2)) < 0.05 * exact.std()


def test_a_model_that_has_learned_its_ranges_takes_no_calibration(network, tmp_path):
    aware = tflite.quantize_aware(network)
    with pytest.raises(ModelError, match="calibration='minmax' with a model that has learned its ranges"):
        tflite.convert(aware, tmp_path / "a.tflite", scheme="int8", calibration="mse")
