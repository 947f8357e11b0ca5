"""A report's figures and its page."""

import re
import struct
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats
from support.made_reports import DISTILLED, HARD, checked, folder_of, made

from distiller import report
from distiller.errors import InputError
from distiller.report import accuracies, canvas, curves, figures, labels, measure, table, tables
from distiller.report.content import Report


def png_size(path):
    """Width and height of a PNG file, read by its specification."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[12:16] == b"IHDR"
    return struct.unpack(">II", data[16:24])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    found = checked(settings=((1, "a desk"), (4, "a $phone")))
    return found, figures.draw(found, folder)


class TestFigures:
    def test_files(self, drawn):
        _, pictures = drawn
        assert [picture.file.name for picture in pictures] == [
            "learning_curves.png",
            "accuracy.png",
            "accuracy_size.png",
            "accuracy_latency.png",
            "accuracy_latency_2.png",
        ]

    def test_sizes_in_pixels(self, drawn):
        for picture in drawn[1]:
            assert png_size(picture.file) == (picture.width, picture.height)
            assert picture.width == 1200
        assert drawn[1][0].height == 840

    def test_there_is_something_in_them(self, drawn):
        from matplotlib.image import imread

        for picture in drawn[1]:
            pixels = imread(picture.file)[..., :3]
            assert np.all(pixels[0] == 1), "the edge is white"
            assert 0.01 < np.mean(np.any(pixels < 0.9, axis=-1)) < 0.5

    def test_those_who_cannot_see_get_the_numbers(self, drawn):
        found, pictures = drawn
        alts = {picture.file.stem: picture.alt for picture in pictures}
        for row in report.rows(found)[1:]:
            assert f"{table.label(row.model)} {row.form} {measure.percent(row.accuracy)} %" in alts["accuracy"]
        assert "300 kB" in alts["accuracy_size"]
        assert "4 threads on a $phone" in alts["accuracy_latency_2"]

    def test_seeds_that_were_measured_elsewhere_are_drawn(self, tmp_path):
        content = made(schemes=("int8",), curves=[])
        for entry in content["tflite"]:
            entry["device"] = "a phone" if entry["seed"] == 2 else "a desk"
        found = Report.model_validate(content)
        pictures = figures.draw(found, tmp_path)
        integer = measure.percent(measure.Measure.of([accuracy - 0.002 for accuracy in DISTILLED]))
        assert all(f"{integer} %" in picture.alt for picture in pictures)
        row = next(row for row in report.rows(found) if row.form == "int8")
        assert accuracies._values(found, row) == pytest.approx([accuracy - 0.002 for accuracy in HARD])

    def test_one_student_without_files_or_curves(self, tmp_path):
        found = checked(hard=[], distilled=[0.95], schemes=(), curves=[])
        assert [p.file.name for p in figures.draw(found, tmp_path)] == ["accuracy.png"]

    def test_seeds_without_a_common_epoch_have_no_curve(self, tmp_path):
        found = made(schemes=())
        found["curves"] = [dict(curve, epochs=curve["epochs"][s : s + 1]) for s, curve in enumerate(found["curves"])]
        assert [p.file.name for p in figures.draw(Report.model_validate(found), tmp_path)] == ["accuracy.png"]

    def test_a_student_that_goes_on_begins_where_the_other_ended(self, tmp_path, monkeypatch):
        content = made(schemes=())
        for after, name in (("distilled", "longer"), ("longer", "longest")):
            content["curves"] += [dict(c, name=name) for c in content["curves"] if c["name"] == "distilled"]
            others = content["budget"].setdefault("others", [])
            others.append({"student": name, "steps": 9, "epochs": 5, "start": after})
        kept = []
        monkeypatch.setattr(canvas, "save", lambda figure, path, **words: kept.append((figure, words)))
        found = Report.model_validate(content)
        curves.draw(found, canvas.looks([*table.student_names(found), "longer", "longest"]), tmp_path / "c.png")
        ((figure, words),) = kept
        (axes,) = figure.axes
        courses = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 5]
        assert [list(course) for course in courses] == [
            [1, 2, 3, 4, 5],
            [1, 2, 3, 4, 5],
            [6, 7, 8, 9, 10],
            [11, 12, 13, 14, 15],
        ]
        # No line leads from a name to an early end: the names are in a key.
        assert not axes.texts
        assert [text.get_text() for text in figure.legends[0].get_texts()][2:] == ["longer", "longest"]
        assert "“longest” goes on from “longer” after epoch 10." in words["caption"]
        assert "left out" not in words["caption"]

    def test_a_student_that_goes_on_from_itself_has_an_end(self):
        content = made(schemes=())
        content["budget"]["others"] = [{"student": "distilled", "steps": 9, "epochs": 5, "start": "distilled"}]
        assert curves._before(Report.model_validate(content), "distilled") == 0

    @pytest.mark.parametrize(("accuracy", "words"), [(0.3, "(30.00 %) is below"), (0.95, "dashed line is the teacher")])
    def test_a_teacher_far_off_does_not_squeeze_the_students(self, tmp_path, accuracy, words):
        content = made(curves=[])
        content["teacher"]["accuracy"] = accuracy
        found = Report.model_validate(content)
        pictures = figures.draw(found, tmp_path)
        assert all(words in picture.caption for picture in pictures)
        low, high = canvas.span(report.rows(found)[1:], 100 * accuracy)
        assert high - low < 10

    def test_spread_keeps_order_and_distance(self):
        rng = np.random.default_rng(3)
        for _ in range(50):
            wanted, heights = np.sort(rng.uniform(0, 10, 8)).tolist(), rng.uniform(0.5, 2, 8).tolist()
            middles = labels.below(9.0, labels.spread(wanted, heights), heights)
            gaps = np.diff(middles) - (np.array(heights[1:]) + np.array(heights[:-1])) / 2
            assert gaps.min() > -1e-5
            assert middles[-1] + heights[-1] / 2 < 9 + 1e-5


class Page(HTMLParser):
    """Elements of a page in order, and that every one that opens also closes."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    content = made(
        per_class=[
            {"student": "distilled", "seed": s, "scheme": scheme, "accuracy": [0.9, 0.8 + 0.1 * s]}
            for s in (0, 1)
            for scheme in (None, "int8")
        ],
        robustness={"noise": "<i>"},
    )
    content["data"]["classes"] = ["<script>alert('cat')</script>", 'a "dog" & more']
    content["tflite"][0]["file"] = "javascript:alert(1)"
    content["tflite"][1]["file"] = 'models/a "b" #1.tflite'
    return report.write(folder_of(tmp_path_factory.mktemp("page"), content))


@pytest.fixture(scope="module")
def page(written):
    return Page(written.read_text(encoding="utf-8"))


class TestPage:
    def test_place_and_title(self, written, page):
        assert written.name == "report.html"
        assert sorted(p.name for p in written.parent.iterdir()) == ["figures", "report.html", "report.json"]
        assert page.all("html") == [{"lang": "en"}]
        assert page.open == []
        assert page.elements[0][0] == "html"

    def test_nothing_comes_from_outside(self, written, page):
        assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.elements}
        for _, attributes in page.elements:
            assert not [name for name in attributes if name.startswith("on") or name in ("srcset", "action")]
            source = attributes.get("src")
            assert source is None or source.startswith("data:image/png;base64,")
            assert not re.match(r"[a-z]+:|/", attributes.get("href", ""))
        text = written.read_text(encoding="utf-8")
        assert "@import" not in text
        assert "url(" not in text
        assert "http://" not in text
        assert "https://" not in text

    def test_hostile_names_are_text(self, written, page):
        text = written.read_text(encoding="utf-8")
        assert "<script" not in text
        assert "&lt;script&gt;alert(&#39;cat&#39;)&lt;/script&gt;" in text
        assert "<script>alert('cat')</script>" in page.text
        assert "javascript:" not in [a.get("href", "")[:11] for a in page.all("a")]

    def test_links_lead_to_the_files(self, page):
        links = [a["href"] for a in page.all("a")]
        assert links[:3] == [
            "javascript%3Aalert%281%29",
            "models/a%20%22b%22%20%231.tflite",
            "hard_labels-1-float32.tflite",
        ]
        assert len(links) == 12

    def test_pictures_are_described(self, written, page):
        images = page.all("img")
        assert len(images) == 4
        for image in images:
            assert len(image["alt"]) > 40
            assert int(image["width"]) == 600

    def test_headings_of_tables_have_a_scope(self, page):
        assert {a["scope"] for a in page.all("th")} == {"col", "row"}

    def test_the_table_is_the_terminals(self, page):
        text = " ".join(page.text)
        for row in report.rows(checked())[1:3]:
            assert measure.percent(row.accuracy) in text
        assert "93.13 ± 0.15 % on 10,000 test images" in text

    def test_gains_have_an_interval_and_what_they_took(self):
        content = made()
        for student in content["students"]:
            if student["name"] == "distilled":
                student["seconds"] = 90.0 + 10 * student["seed"]
        content["students"] += [dict(s, name="longer", accuracy=0.95) for s in content["students"][3:4]]
        content["budget"]["others"] = [{"student": "longer", "steps": 1234, "epochs": 3, "start": "distilled"}]
        found = tables.gains(Report.model_validate(content))
        low, high = stats.ttest_ind(DISTILLED, HARD, equal_var=False).confidence_interval(0.95)
        gain = np.mean(DISTILLED) - np.mean(HARD)
        assert [cells for _, cells in found.lines] == [
            (
                *("distilled", "93.13 ± 0.15", f"+{100 * gain:.2f}", f"+{100 * low:.2f} to +{100 * high:.2f}"),
                *("500", "1.3 ×"),
            ),
            ("longer", "93.00", f"+{100 * (0.95 - np.mean(HARD)):.2f}", "", "1,234 after distilled", "1.2 ×"),
        ]
        assert tables.gains(checked(hard=[])) is None
        assert tables.gains(checked(distilled=[])) is None

    def test_where_the_numbers_come_from(self, page):
        for word in ("distiller run cifar", "c0ffee", "keras 3.15.0", "a desk", "85.00 ± 7.07", "robustness"):
            assert any(word in text for text in page.text), word

    @pytest.mark.parametrize(("epochs", "words"), [(1, "in 1 epoch,"), (5, "in 5 epochs,")])
    def test_one_epoch_is_one(self, tmp_path, epochs, words):
        content = made()
        content["budget"]["epochs"] = epochs
        path = report.write(folder_of(tmp_path, content))
        assert f"500 steps of 64 images {words} the same for every student" in path.read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("others", "words"),
        [
            ([], "500 steps of 64 images in 5 epochs, the same for every student"),
            (
                [{"student": "hard_labels", "steps": 1000, "epochs": 1, "batch_size": 32}],
                "500 steps of 64 images in 5 epochs; hard labels: 1,000 steps of 32 images in 1 epoch",
            ),
            (
                [{"student": name, "steps": 9, "epochs": 3, "start": "soft"} for name in ("hard_labels", "distilled")],
                "hard labels: 9 steps in 3 epochs after those of soft; "
                "distilled: 9 steps in 3 epochs after those of soft",
            ),
        ],
        ids=["the same", "another", "none as the recipe says"],
    )
    def test_a_budget_is_of_those_who_had_it(self, tmp_path, others, words):
        content = made()
        content["budget"]["others"] = others
        path = report.write(folder_of(tmp_path, content))
        assert f"<dd>{words}</dd>" in path.read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("bridges", "words"),
        [
            ({}, "head"),
            ({"distilled": "fine_tune"}, "fine tune"),
            ({"distilled": "probe", "soft": "none"}, "distilled: probe; soft: none (what is compared are layers)"),
            ({"distilled": "none"}, "none (teacher and student have the same classes)"),
        ],
        ids=["not said", "one", "several", "none"],
    )
    def test_bridges_are_those_of_the_students(self, tmp_path, bridges, words):
        content = made()
        content["students"] += [dict(s, name="soft") for s in content["students"] if s["name"] == "distilled"]
        for student in content["students"]:
            if student["name"] in bridges:
                accuracy = 0.93 if student["name"] == "distilled" else None
                student |= {"bridge": bridges[student["name"]], "teacher_accuracy": accuracy}
        page = report.write(folder_of(tmp_path, content)).read_text(encoding="utf-8")
        assert f"<dt>Bridge</dt><dd>{words}</dd>" in page

    def test_no_line_is_the_teacher_of_students_with_others(self, tmp_path):
        content = made(curves=[])
        for student in content["students"][3:]:
            student |= {"bridge": "probe", "teacher_accuracy": 0.93}
        pictures = figures.draw(Report.model_validate(content), tmp_path)
        assert all("Students have teachers of their own." in picture.caption for picture in pictures)
        assert not [picture for picture in pictures if "teacher" in picture.alt]

    def test_little_content_makes_a_page_too(self, tmp_path):
        content = made(hard=[], distilled=[0.9], curves=[], commit=None, versions={}, machine={}, tflite=[], command="")
        page = Page(report.write(folder_of(tmp_path, content)).read_text(encoding="utf-8"))
        assert not {"classes", "files", "further"} & {a.get("id") for a in page.all("h2")}
        assert len(page.all("img")) == 1

    def test_a_damaged_report_leaves_the_page_alone(self, tmp_path):
        (tmp_path / "report.html").write_text("before")
        (tmp_path / "report.json").write_text("{")
        with pytest.raises(InputError):
            report.write(tmp_path)
        assert (tmp_path / "report.html").read_text() == "before"


def test_import_is_light():
    code = (
        "import sys, distiller.report as r; assert sorted(r.__all__) == r.__all__; "
        "print([m for m in ('tensorflow', 'keras', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pyplot_is_not_used():
    code = (
        "import sys; from distiller.report import figures; "
        "assert 'matplotlib' in sys.modules; print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
