"""The Kotlin of bundles is compiled, and its own test runs, on stubs of Android with answers of the interpreter."""

import subprocess
from pathlib import Path

import pytest

STUBS = Path(__file__).parent / "stubs" / "java"


@pytest.fixture(scope="module")
def compiled(bundles, tmp_path_factory):
    """The class path with the classes of all bundles, compiled in one go: the compiler takes long to start."""
    built = tmp_path_factory.mktemp("classes")
    subprocess.run(["javac", "-d", built, *STUBS.rglob("*.java")], check=True, capture_output=True)
    sources = [path for bundled in bundles.values() for path in bundled.path.rglob("*.kt")]
    assert len(sources) == 6
    jar = built / "bundles.jar"
    done = subprocess.run(
        ["kotlinc", *sources, "-cp", built, "-include-runtime", "-d", jar], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if ".kt:" in line and "warning" in line], done.stderr
    return f"{jar}:{built}"


def run(compiled, bundled, folder, gpu="works"):
    answers = folder / "answers"
    if not answers.exists():
        bundled.write_answers(answers)
    app = bundled.path / "android/app/src"
    settings = {
        "answers": answers,
        "assets": app / "main/assets",
        "testAssets": app / "androidTest/assets",
        "gpu": gpu,
    }
    test = f"com.example.classifier.{bundled.made.class_name}Test"
    return subprocess.run(
        ["java", *(f"-D{key}={value}" for key, value in settings.items()), "-cp", compiled, "RunTests", test],
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", ["uint8_colour", "int8_grey", "float_colour"])
def test_the_generated_test_passes_where_answers_are_the_interpreters(name, bundles, compiled, tmp_path):
    done = run(compiled, bundles[name], tmp_path)
    assert done.returncode == 0, done.stderr
    test = f"com.example.classifier.{bundles[name].made.class_name}Test"
    assert sorted(done.stdout.splitlines()) == [
        f"{test}.answersOnTheCpu passed, on CPU",
        f"{test}.answersOnTheGpu passed, on GPU",
    ]


@pytest.mark.parametrize("gpu", ["missing", "refuses"])
def test_the_cpu_computes_where_the_gpu_does_not(gpu, bundles, compiled, tmp_path):
    done = run(compiled, bundles["uint8_colour"], tmp_path, gpu)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("on CPU") == 2


def test_the_generated_test_fails_on_other_answers(bundles, compiled, tmp_path):
    bundled = bundles["uint8_colour"]
    bundled.write_answers(tmp_path / "answers")
    wrong = bundled.outputs[1].copy()
    wrong[2] += 3 if wrong[2] < 100 else -3
    (answer,) = [path for path in (tmp_path / "answers").iterdir() if path.read_bytes() == bundled.outputs[1].tobytes()]
    answer.write_bytes(wrong.tobytes())
    done = run(compiled, bundled, tmp_path)
    assert done.returncode != 0
    assert "image_1, score 2: expected" in done.stderr
