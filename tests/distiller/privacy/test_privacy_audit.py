"""Attacks on networks, against scikit-learn, SciPy and numbers by hand."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score, roc_curve

from distiller import privacy
from distiller.errors import InputError
from distiller.privacy import curves, scores

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 4, 300), RANDOM.integers(0, 4, 2000)
LOGITS = RANDOM.normal(size=(300, 4)) * 3, RANDOM.normal(size=(2000, 4)) * 2
LOGITS[0][np.arange(300), LABELS[0]] += 3.0


def audited(logits=LOGITS, labels=LABELS, **options):
    return privacy.audit(lambda part: logits[part], (0, labels[0]), (1, labels[1]), **{"resamples": 40, **options})


def test_scores_are_those_of_the_papers():
    expected = log_softmax(LOGITS[0], axis=1)
    np.testing.assert_allclose(scores.loss(LOGITS[0], LABELS[0]), expected[np.arange(300), LABELS[0]], rtol=1e-12)
    np.testing.assert_allclose(scores.confidence(LOGITS[0], LABELS[0]), expected.max(axis=1), rtol=1e-12)


@pytest.mark.parametrize("steps", [None, 0.5])  # an integer file's logits are equal where they are near
@pytest.mark.parametrize("name", privacy.ATTACKS)
def test_area_and_true_positives_are_those_of_scikit_learn(name, steps):
    logits = LOGITS if steps is None else tuple(np.round(each / steps) * steps for each in LOGITS)
    [attack] = audited(logits, attacks=(name,)).attacks
    score = np.concatenate([getattr(scores, name)(*pair) for pair in zip(logits, LABELS, strict=True)])
    member = np.r_[np.ones(300), np.zeros(2000)]
    assert attack.area.value == pytest.approx(roc_auc_score(member, score), abs=1e-12)
    false, true, _ = roc_curve(member, score, drop_intermediate=False)
    for allowed, rate in ((0.001, attack.at_one_in_thousand), (0.01, attack.at_one_in_hundred)):
        assert rate.value == pytest.approx(true[false <= allowed].max(), abs=1e-12)
        assert rate.low <= rate.value <= rate.high or rate.value == 0
    assert 0.5 < attack.area.low < attack.area.value < attack.area.high < 1


def test_true_positives_by_hand():
    """Of ten others two score above the second of four members; scores that are equal go together."""
    members, others = np.array([9.0, 5.0, 5.0, 0.0]), np.array([8.0, 6.0, 5.0, *[0.0] * 7])
    false, true = curves.Ranks.of(members, others).rates()
    assert curves.true_positives(false, true, 0.0) == 1 / 4
    assert curves.true_positives(false, true, 0.2) == 1 / 4
    assert curves.true_positives(false, true, 0.3) == 3 / 4
    # Pairs: 9 wins 10; 5 wins 7, loses 2 and ties 1, twice; 0 ties 7.
    assert curves.area(false, true) == pytest.approx((10 + 2 * 7.5 + 3.5) / 40)


def test_an_interval_holds_what_its_confidence_says():
    """Scores of two normal distributions, whose area is known: Φ(1/√2) for means that differ by one deviation."""
    from scipy.stats import norm

    truth, held = norm.cdf(1 / np.sqrt(2)), 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        area, _ = curves.measured(
            random.normal(1, 1, 80), random.normal(0, 1, 80), resamples=100, confidence=0.9, seed=seed
        )
        held += area.low <= truth <= area.high
    assert 30 <= held <= 40  # 36 of 40 on average, and fewer than 30 once in five hundred


def test_a_network_that_knows_nothing_gives_nothing_away():
    random = np.random.default_rng(1)
    logits = random.normal(size=(2000, 4)), random.normal(size=(2000, 4))
    labels = random.integers(0, 4, 2000), random.integers(0, 4, 2000)
    for attack in audited(logits, labels).attacks:
        assert attack.area.low < 0.5 < attack.area.high
        assert attack.at_one_in_hundred.low <= 0.012


def test_what_an_audit_holds():
    got = audited()
    assert (got.members, got.others) == (300, 2000)
    assert got.member_accuracy == np.mean(LOGITS[0].argmax(axis=1) == LABELS[0])
    assert 0.2 < got.other_accuracy < got.member_accuracy < 1
    assert [attack.name for attack in got.attacks] == ["loss", "confidence"]
    assert got.curve[-1] == (1.0, 1.0)
    assert got.curve[0][0] == pytest.approx(1 / 2000)
    run = privacy.RunAudit((privacy.Audited("distilled", 0, "int8", "student", got),), ("a note",))
    assert privacy.RunAudit.from_json(run.to_json()) == run
    assert "bounds nothing from above" in run.sentence


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"labels": (LABELS[0] + 1, LABELS[1])}, {}, "Expected labels from 0 to 3 of the members. Received: 1 to 4"),
        ({"labels": (LABELS[0], LABELS[1][:9])}, {}, r"of the others. Received: \(2000, 4\) and \(9,\)"),
        ({"logits": (LOGITS[0] * np.nan, LOGITS[1])}, {}, "Expected finite logits of the members"),
        ({}, {"attacks": ("lira",)}, "Expected attacks among loss, confidence. Received: lira"),
        ({}, {"resamples": 0}, "Expected one resample or more"),
    ],
)
def test_what_is_refused(change, options, message):
    with pytest.raises(InputError, match=message):
        audited(**change, **options)


def test_json_of_something_else():
    with pytest.raises(InputError, match="Expected the JSON of an audit"):
        privacy.RunAudit.from_json('{"networks": 3}')
