"""Warnings of a diagnosis."""

import dataclasses

import pytest
from support.diagnosed import random_logits

from distiller.teachers.diagnosis import gap
from distiller.teachers.diagnosis.by_class import ClassAccuracy
from distiller.teachers.diagnosis.calibration import calibrate
from distiller.teachers.diagnosis.concerns import concerns
from distiller.teachers.diagnosis.mutual_information import Information
from distiller.teachers.diagnosis.smoothing import score


def made_concerns(
    accuracy=0.9, smoothed="not", error=0.01, confidence=0.9, between=None, nats=1.2, chance=0.1, weakest=()
):
    calibration = dataclasses.replace(
        calibrate(*random_logits(100, 10)), error=error, confidence=confidence, temperature=2.0
    )
    mark = dataclasses.replace(score(*random_logits(100, 10)), verdict=smoothed)
    information = Information(nats, 0.3, 20, ())
    return concerns(accuracy, chance, 1000, weakest, 10, information, mark, calibration, between)


def of_class(accuracy, samples):
    return ClassAccuracy("ant", accuracy, samples, "bee")


def made_gap(student_accuracy, parameters=500):
    return gap.Gap(
        gap.Capacity(1000, 1, 0.9), gap.Capacity(parameters, 1, student_accuracy), gap.assistant(1000, parameters)
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"accuracy": 0.11}, "no more than guessing"),
        ({"chance": 0.9}, "no more than guessing (one answer to all of them: 90.0%)"),
        ({"weakest": [of_class(0.0, 10)]}, "hardly ever knows ant (0.0% of 10)"),
        ({"weakest": [of_class(0.05, 1000), *[of_class(0.0, 20)] * 6]}, "ant (0.0% of 20) and 2 more"),
        ({"smoothed": "likely"}, "distil at temperature 1"),
        (
            {"error": 0.2, "confidence": 0.95},
            "overconfident: its mean confidence is 95.0%, its accuracy 90.0%; temperature 2.00",
        ),
        ({"error": 0.2, "confidence": 0.7}, "underconfident"),
        ({"nats": 0.6}, "0.60 nats of mutual information"),
        ({"between": made_gap(0.9)}, "The student is as good"),
        ({"between": made_gap(None, parameters=10)}, "100 times the student's parameters"),
    ],
)
def test_each_concern_alone(options, sentence):
    (found,) = made_concerns(**options)
    assert sentence in found


def test_no_concern():
    assert made_concerns(between=made_gap(0.8), weakest=[of_class(0.0, 9), of_class(0.06, 100)]) == ()
