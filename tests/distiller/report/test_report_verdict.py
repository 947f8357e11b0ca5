"""The verdict of a report: what it says, and how sure it is."""

import copy

import numpy as np
import pytest
from scipy import stats
from support.made_reports import DISTILLED, HARD, checked, made, with_own_teachers

from distiller import report
from distiller.report.content import Report


class TestVerdict:
    def test_beats_clearly(self):
        gain = 100 * (np.mean(DISTILLED) - np.mean(HARD))
        low, high = stats.ttest_ind(DISTILLED, HARD, equal_var=False).confidence_interval(0.95)
        gap = 100 * (0.95 - np.mean(DISTILLED))
        assert report.verdict(checked()) == (
            f"The distilled student reaches 93.13 ± 0.15 % on 10,000 test images, {gain:.2f} points above hard labels "
            f"(91.10 ± 0.26 %; 3 seeds each), with a 95 % interval of +{100 * low:.2f} to +{100 * high:.2f}. "
            f"It is {gap:.2f} points below the teacher (95.00 %), and int8 costs it 0.20 points against float."
        )

    def test_a_teacher_of_other_classes_has_no_distance(self):
        content = made()
        content["teacher"]["accuracy"] = None
        said = report.verdict(Report.model_validate(content))
        assert said.endswith("95 % interval of +1.49 to +2.58. int8 costs it 0.20 points against float.")
        content["tflite"] = []
        assert report.verdict(Report.model_validate(content)).endswith("+1.49 to +2.58.")

    def test_the_distance_is_to_the_students_own_teacher(self):
        """The mean of its teacher over its seeds, whatever the recipe's bridge reaches."""
        content = with_own_teachers()
        gap = 100 * (np.mean(DISTILLED) - np.mean([0.90, 0.92, 0.94]))
        said = report.verdict(Report.model_validate(content))
        assert f"It is {gap:.2f} points above its teacher (92.00 %)" in said
        content["teacher"] |= {"accuracy": None, "bridge": "none"}
        assert f"It is {gap:.2f} points above the teacher (92.00 %)" in report.verdict(Report.model_validate(content))
        for student in content["students"]:
            student["teacher_accuracy"] = None
        assert "teacher" not in report.verdict(Report.model_validate(content))

    def test_a_teacher_at_chance_is_not_praised(self):
        """Ten thousand images of two classes: 0.51 is two deviations of 0.005 above chance."""
        content = made(hard=[0.51, 0.50, 0.505], distilled=[0.51, 0.51, 0.51])
        content["teacher"]["accuracy"] = 0.51
        said = report.verdict(Report.model_validate(content))
        assert "reaches 51.00 ± 0.00 % on 10,000 test images, which cannot be told from chance (50.00 %), " in said
        assert "Its teacher cannot be told from chance (51.00 %; chance: 50.00 %), so that this says nothing" in said
        assert "scaling that was left outside" in said
        assert "equals" not in said
        assert "int8" not in said
        content["teacher"]["held_out"] = {"accuracy": 0.5, "chance": 0.5, "images": 90, "cause": "It is upside down"}
        assert report.verdict(Report.model_validate(content)).endswith("nothing of distillation. It is upside down.")
        content["data"]["chance"] = 0.4
        assert "chance" not in report.verdict(Report.model_validate(content)).replace("may be chance", "")

    def test_a_student_heavier_than_its_teacher_is_named(self):
        content = made()
        content["teacher"] |= {"parameters": 100_000, "multiply_adds": 10_000_000}
        said = report.verdict(Report.model_validate(content))
        assert said.endswith(
            "It is heavier than its teacher: 250 k parameters against 100 k, 4 times the multiply-adds."
        )

    def test_within_noise(self):
        hard, distilled = [0.90, 0.92], [0.915, 0.91]
        said = report.verdict(checked(hard=hard, distilled=distilled))
        low, high = stats.ttest_ind(distilled, hard, equal_var=False).confidence_interval(0.95)
        assert "0.25 points above hard labels" in said
        assert f"interval of −{-100 * low:.2f} to +{100 * high:.2f}, which includes zero: that may be chance" in said

    def test_loses(self):
        said = report.verdict(checked(hard=DISTILLED, distilled=HARD))
        assert "2.03 points below hard labels" in said
        assert "with a 95 % interval of −2.58 to −1.49." in said

    def test_equal(self):
        assert "the same as hard labels (91.10" in report.verdict(checked(distilled=HARD))

    def test_one_seed(self):
        said = report.verdict(checked(hard=[0.9], distilled=[0.92]))
        assert "2.00 points above hard labels (90.00 %; one seed each); without a second seed" in said
        assert "±" not in said
        assert "interval" not in said

    def test_seeds_that_do_not_differ(self):
        said = report.verdict(checked(hard=[0.9, 0.9], distilled=[0.92, 0.92]))
        assert "2.00 points above hard labels (90.00 ± 0.00 %; 2 seeds each); no seed differs from another" in said

    def test_int8_is_compared_with_the_same_seeds(self):
        content = made()
        content["tflite"] = [t for t in content["tflite"] if t["seed"] == 1]
        assert "int8 costs it 0.20 points" in report.verdict(Report.model_validate(content))

    @pytest.mark.parametrize(("change", "words"), [(0.003, "int8 gains 0.30 points"), (0, "int8 costs it nothing")])
    def test_int8_that_costs_nothing(self, change, words):
        content = made()
        for entry in content["tflite"]:
            float_twin = next(
                s for s in content["students"] if (s["name"], s["seed"]) == (entry["student"], entry["seed"])
            )
            entry["accuracy"] = float_twin["accuracy"] + change
        assert words in report.verdict(Report.model_validate(content))

    def test_without_files_or_hard_labels(self):
        said = report.verdict(checked(hard=[], schemes=()))
        assert said == (
            "The distilled student reaches 93.13 ± 0.15 % on 10,000 test images (3 seeds). "
            "It is 1.87 points below the teacher (95.00 %)."
        )

    def test_above_the_teacher(self):
        content = made()
        content["teacher"]["accuracy"] = 0.9
        assert "3.13 points above the teacher (90.00 %)" in report.verdict(Report.model_validate(content))

    def test_never_speaks_of_the_best_by_test_accuracy(self):
        content = made(schemes=())
        better = [dict(s, name="relational", accuracy=0.99) for s in content["students"][:3]]
        content["students"] += copy.deepcopy(better)
        assert report.verdict(Report.model_validate(content)).startswith(
            "The distilled student, the best of 2 taught students on the validation split, reaches 93.13 ± 0.15 %"
        )

    def test_speaks_of_the_best_on_the_validation_split_wherever_it_stands(self):
        content = made(schemes=())
        for s in copy.deepcopy(content["students"][3:]):
            content["students"].append(s | {"name": "fine_tune", "accuracy": 0.925, "validation_accuracy": 0.99})
        said = report.verdict(Report.model_validate(content))
        assert said.startswith(
            "The student “fine tune”, the best of 2 taught students on the validation split, reaches"
        )
        assert "92.50 ± 0.00 % on 10,000 test images, 1.40 points above hard labels" in said

    def test_more_steps_are_no_better_method(self):
        """An arm that goes on from another is compared with hard labels only where no other can be."""
        content = made(schemes=())
        content["students"] += [
            dict(s, name="longer", validation_accuracy=0.99) for s in copy.deepcopy(content["students"][3:])
        ]
        content["budget"]["others"] = [{"student": "longer", "steps": 9, "epochs": 3, "start": "distilled"}]
        assert report.verdict(Report.model_validate(content)).startswith("The distilled student reaches")
        content["students"] = [s for s in content["students"] if s["name"] != "distilled"]
        said = report.verdict(Report.model_validate(content))
        assert said.startswith("The student “longer”, with a budget of its own, reaches")

    def test_students_without_a_teacher_are_not_distilled(self):
        content = made(schemes=())
        content["students"] += [
            dict(s, name="int8_labels", validation_accuracy=0.99) for s in copy.deepcopy(content["students"][3:])
        ]
        for s in content["students"][3:6]:
            s |= {"bridge": "head", "teacher_accuracy": 0.95}
        assert report.verdict(Report.model_validate(content)).startswith("The distilled student reaches")
