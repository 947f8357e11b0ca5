# `make demo` and `make test` need Python 3.11 to 3.13 and nothing else: they make their own virtual environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

JAX_TESTS := tests/distiller/teachers/caching \
	$(addprefix tests/distiller/trainer/test_,streams.py misfits.py smoothed.py distiller.py outputs.py schedules.py first_step.py pairing.py saving.py training_modes.py weights_of_samples.py) \
	$(addprefix tests/distiller/objectives/test_,probabilities.py objectives.py objectives_axes.py objectives_logits.py objectives_features.py objectives_features_own.py objectives_singular_vectors.py objectives_relations.py) \
	$(addprefix tests/distiller/networks/test_,sharing.py overridden.py copies.py taps.py) \
	$(addprefix tests/distiller/runs/test_,restart.py) \
	$(addprefix tests/distiller/teachers/test_,frozen.py ensemble.py mean_teacher.py virtual.py generations.py mutual.py) \
	$(addprefix tests/distiller/bridges/test_,auxiliary_head.py bridges.py bridges_of_one_kind.py fine_tune.py fitted_on.py class_map.py transport.py hidden_probe.py)
# Tests that start JAX in processes of their own, which takes most of their time.
STARTS_JAX := tests/distiller/trainer/test_backends_agree.py tests/distiller/utils/test_processes.py \
	tests/distiller/runs/test_several_hosts.py

.PHONY: demo test test-apps test-benchmarks test-jax test-page test-serve test-ray lint docs clean adb chromium kotlin

demo: $(VENV)/installed
	$(BIN)/distiller demo --out runs/demo $(if $(wildcard runs/demo/run.json),--resume)

test: $(VENV)/installed-dev adb
	$(BIN)/python -m pytest -n auto --dist loadfile distiller tflite tests $(addprefix --ignore ,tests/apps tests/benchmarks tests/page tests/serve tests/ray $(STARTS_JAX))

# Experiments and measurements at a tiny size.
test-benchmarks: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile tests/benchmarks

# The page of a report in a real browser, in the light and in the dark, on a phone and on a desk.
test-page: $(VENV)/installed-dev chromium
	$(BIN)/python -m pytest tests/page

# The page of `distiller serve` in a real browser; LiteRT.js is fetched from the npm registry, once.
test-serve: $(VENV)/installed-dev chromium
	$(BIN)/python -m pytest tests/serve

# What `distiller bundle` writes, built with the compilers of Kotlin, Java and C++ and run on stubs.
test-apps: $(VENV)/installed-dev kotlin
	$(BIN)/python -m pytest tests/apps

# Two machines of a Ray cluster on loopback, and what is lost with them.
test-ray: $(VENV)/installed-dev
	$(BIN)/python -m pytest tests/ray

# Programs of the system: what the tests of phones drive, and what those of the page and of bundles do.
adb:
	.ci/adb

chromium:
	.ci/chromium

kotlin:
	.ci/kotlin

# The core on the JAX backend, and beside TensorFlow.
test-jax: $(VENV)/installed-dev
	KERAS_BACKEND=jax $(BIN)/python -m pytest -n auto --dist loadfile $(JAX_TESTS)
	$(BIN)/python -m pytest -n auto --dist loadfile $(STARTS_JAX)

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The documentation site in build/site; a dead link or a warning is an error.
docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m mkdocs build

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(VENV)/installed: setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
