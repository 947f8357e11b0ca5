"""Objectives answer to the acronyms of their papers: in Python, in a recipe and on the command line."""

import pytest

from distiller import objectives
from distiller.cli import distill, tables
from distiller.errors import InputError
from distiller.objectives.table import named

# The paper that gave each acronym.
PAPERS = {
    "kd": "1503.02531",
    "dkd": "2203.08679",
    "rld": "2408.07703",
    "abkd": "2505.04560",
    "at": "1612.03928",
    "nst": "1707.01219",
    "vid": "1904.05835",
    "ab": "1811.03233",
    "ft": "1802.04977",
    "fsp": "Yim et al. 2017",
    "rkd_d": "1904.05068",
    "rkd_a": "1904.05068",
    "sp": "1907.09682",
    "cc": "1904.01802",
    "pkt": "1803.10837",
    "crd": "1910.10699",
}


@pytest.mark.parametrize("acronym", PAPERS)
def test_acronym_names_the_method_of_its_paper(acronym):
    assert PAPERS[acronym] in type(objectives.get(acronym)).source


def test_acronyms_of_one_paper():
    assert named("rkd_d") is objectives.RelationalDistance
    assert named("rkd_a") is objectives.RelationalAngle


def test_every_acronym_is_tested_and_none_is_a_name():
    assert set(objectives.ALIASES) == set(PAPERS)
    assert not objectives.OBJECTIVES.keys() & PAPERS.keys()


def test_arguments_go_to_the_method():
    made = objectives.get({"name": "dkd", "alpha": 1.5})
    assert (type(made), made.alpha) == (objectives.Decoupled, 1.5)


@pytest.mark.parametrize("name", ["dkdd", "DKD", None, 3])
def test_unknown_name_lists_acronyms_too(name):
    with pytest.raises(
        InputError, match=r"Unknown objective .* Known: ab, abkd, activation_boundaries, alpha_beta, at, .*dkd"
    ):
        objectives.get({"name": name})


def test_command_line_takes_them():
    distill._check_objectives(["dkd", "at:stage3"])
    with pytest.raises(InputError, match=r"'at' compares features\. Name a layer"):
        distill._check_objectives(["at"])
    with pytest.raises(InputError, match="every objective once"):
        distill._check_objectives(["kd", "hinton"])


def test_table_shows_them(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    tables.objectives()
    lines = capsys.readouterr().out.splitlines()
    for acronym, name in objectives.ALIASES.items():
        assert any(acronym in line.split() for line in lines if name in line.split()), acronym
