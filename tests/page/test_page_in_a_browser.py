"""The page of a report in a real browser: on a phone and on a desk, in the light and in the dark."""

import io
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from support.made_reports import folder_of, made

from distiller import report
from distiller.report import measured
from tflite import BenchmarkResult, Benchmarks, OperatorTime

SCRIPT = "<script>document.title = 'hacked'</script>"
IMAGE = "<img src=x onerror=\"document.title='hacked'\">"
LONG = "quantization_aware_with_a_name_that_does_not_end"


def large():
    """A report with much of everything: long names, two devices, four students, classes, notes."""
    content = made(settings=((1, "a desk with a long name of its own"), (4, "a phone of someone else's")))
    for name in (LONG, SCRIPT):
        for section, key in (("students", "name"), ("tflite", "student"), ("curves", "name")):
            copies = [dict(one, **{key: name}) for one in content[section] if one[key] == "distilled"]
            content[section] += copies
    for file in content["tflite"]:
        file["file"] = f"{file['student']}-{file['seed']}-{file['scheme']}.tflite".replace("</script>", "")
    content["budget"]["others"] = [{"student": LONG, "steps": 100, "epochs": 5, "start": "distilled"}]
    content["data"]["classes"] = [IMAGE, "a_class_whose_name_is_long_and_has_no_space_in_it"]
    content["per_class"] = [
        {"student": name, "seed": seed, "scheme": scheme, "accuracy": [0.9, 0.81 + 0.01 * seed]}
        for name in ("hard_labels", "distilled", LONG, SCRIPT)
        for seed in (0, 1)
        for scheme in (None, "float32", "int8")
    ]
    content["summary"] = f"{IMAGE} {SCRIPT}"
    content["teacher"]["name"] = IMAGE
    content["machine"] |= {"processor": SCRIPT, "<b>": IMAGE}
    content["command"] = f"distiller run {'x' * 300}"
    content["further"] = {IMAGE: [SCRIPT]}
    return content


def benchmarks():
    """What was measured on a phone: hostile names, operators, notes."""
    operators = (OperatorTime("y:0", IMAGE, 1.5, 0.75, 1, True), OperatorTime("z:0", "MEAN", 0.5, 0.25, 1, False))
    results = [
        BenchmarkResult.of(
            f"{LONG}-{SCRIPT.replace('/', '')}-{scheme}.tflite",
            [1.0, 2.0, 4.0],
            bytes=90_000,
            warmup_runs=1,
            threads=threads,
            device=IMAGE,
        )
        for scheme, threads in product(("float32", "int8"), (1, 4))
    ]
    results = [replace(result, operators=operators, notes=(SCRIPT,)) for result in results]
    return Benchmarks(tuple(results), (), (), 0.95)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = folder_of(tmp_path_factory.mktemp("large"), large())
    measured.add(folder, benchmarks())
    return report.write(folder)


@pytest.fixture(params=product((390, 1400), ("light", "dark")), ids=lambda it: f"{it[0]}-{it[1]}", scope="module")
def shown(request, browser, page):
    """The page in the browser, with its width, theme and console."""
    return browser, *request.param, browser.show(page, *request.param)


def test_the_console_is_silent_and_no_name_is_a_script(shown):
    browser, *_, console = shown
    assert console == []
    assert browser.driver.title == "cifar – distillation report"
    assert browser.ask("document.scripts.length") == 0
    assert browser.ask("document.querySelectorAll('img:not([src^=\"data:image/png;base64,\"])').length") == 0
    assert SCRIPT in browser.driver.find_element(By.CLASS_NAME, "summary").text


def test_nothing_is_cut(shown):
    browser, width, *_ = shown
    assert browser.ask("document.documentElement.scrollWidth") <= width
    frames = browser.ask("[...document.querySelectorAll('.wide')].map(e => [e.scrollWidth, e.clientWidth])")
    assert len(frames) >= 5
    assert [frame for frame in frames if frame[0] > frame[1]] == []
    beyond = browser.ask(
        "[...document.querySelectorAll('tbody th, td, dd, p, li, img, h1, h2')].filter(e => {"
        " const box = e.getBoundingClientRect();"
        " return box.width && (box.left < 0 || box.right > innerWidth || e.scrollWidth > e.clientWidth + 1)"
        "}).map(e => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []


def test_every_number_says_what_it_is(shown):
    """On a phone a row is a card: the heading stands at each cell, for the head of the table is not seen."""
    browser, width, *_ = shown
    heads = browser.ask("[...document.querySelectorAll('thead')].map(e => e.getBoundingClientRect().height)")
    named = browser.ask(
        "[...document.querySelectorAll('td:not(:empty)')].map(e => getComputedStyle(e, '::before').content)"
    )
    if width < 500:
        assert max(heads) <= 1
        assert {"", "none", '""'}.isdisjoint(named)
    else:
        assert min(heads) > 20
        assert set(named) == {"none"}


def test_figures_are_as_dark_as_the_page(shown):
    browser, _, theme, _ = shown
    pictures = browser.driver.find_elements(By.TAG_NAME, "img")
    assert len(pictures) >= 6
    for picture in (pictures[0], pictures[-1]):
        seen = np.asarray(Image.open(io.BytesIO(picture.screenshot_as_png)).convert("L"), float)
        ground, ink = np.median(seen), np.percentile(seen, 0.5 if theme == "light" else 99.5)
        assert (
            (ground > 245, ink < 110) == (True, True) if theme == "light" else (ground < 40, ink > 150) == (True, True)
        )


def luminance(colour):
    """Relative luminance of `rgb(…)` as WCAG 2.2 defines it."""
    parts = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_has_the_contrast_that_wcag_asks_for(shown):
    browser, *_ = shown
    ground = browser.ask("getComputedStyle(document.body).backgroundColor")
    for selector in ("body", "figcaption", "a", ".notes li", "dt", "tbody th"):
        ink = browser.ask(f"getComputedStyle(document.querySelector('{selector}')).color")
        dark, light = sorted((luminance(ground), luminance(ink)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


def test_tables_begin_where_the_text_does(shown):
    """And take the margins where they are wider than the column, the right one first."""
    browser, width, *_ = shown
    left = "e => e.getBoundingClientRect().left"
    column = browser.ask(f"[document.querySelector('h1')].map({left})[0]")
    tables = browser.ask(f"[...document.querySelectorAll('.wide')].map({left})")
    widths = browser.ask("[...document.querySelectorAll('.wide')].map(e => e.getBoundingClientRect().width)")
    for place, size in zip(tables, widths, strict=True):
        assert place == pytest.approx(min(column, width - 16 - size), abs=1)
