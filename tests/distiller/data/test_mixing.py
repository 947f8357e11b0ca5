"""Mixtures of images: what they hold, what their labels say, and that they can be drawn again."""

import numpy as np
import pytest

from distiller.data.mixing import CutMix, Draws, MixUp, soft_labels
from distiller.errors import InputError

BOTH = [MixUp, CutMix]


def batch(n=16, height=8, width=12):
    """Images that are constant, each with a value of its own, and labels."""
    images = np.broadcast_to(np.arange(n, dtype="uint8")[:, None, None, None], (n, height, width, 3)).copy()
    return images, (np.arange(n) % 5).astype("int32")


def with_shares(draws, share):
    return Draws(np.full_like(draws.shares, share), draws.partners, draws.centres)


@pytest.mark.parametrize("mixing", BOTH)
class TestBoth:
    def test_draws_depend_on_seed_and_step_alone(self, mixing):
        first, again = (mixing().draws(seed=3, step=7, samples=10) for _ in range(2))
        for name in ("shares", "partners", "centres"):
            np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        for other in (mixing().draws(3, 8, 10), mixing().draws(4, 7, 10)):
            assert (other.shares != first.shares).all()
            assert (other.centres != first.centres).all()

    def test_draws_are_those_of_beta(self, mixing):
        shares = mixing(alpha=0.5).draws(0, 0, 20000).shares.astype("float64")
        assert ((shares >= 0) & (shares <= 1)).all()
        assert abs(shares.mean() - 0.5) < 0.01
        # Var of Beta(a, a) = 1 / (4 · (2a + 1)).
        assert abs(shares.var() - 0.125) < 0.005

    def test_every_sample_is_a_partner_once(self, mixing):
        assert sorted(mixing().draws(0, 5, 32).partners) == list(range(32))

    def test_labels_are_shares_that_add_up(self, mixing):
        images, labels = batch()
        mixed, soft = mixing()(images, labels, mixing().draws(1, 0, 16), classes=5)
        assert mixed.shape == images.shape
        assert soft.dtype == np.float32
        assert soft.shape == (16, 5)
        np.testing.assert_allclose(soft.sum(axis=1), 1.0, rtol=1e-6)

    def test_share_of_one_changes_nothing(self, mixing):
        images, labels = batch()
        draws = with_shares(mixing().draws(1, 0, 16), 1.0)
        mixed, soft = mixing()(images, labels, draws, classes=5)
        np.testing.assert_array_equal(mixed, images)
        np.testing.assert_array_equal(soft, np.eye(5)[labels])

    def test_unlabelled_samples_and_their_partners_have_rows_of_minus_one(self, mixing):
        images, labels = batch()
        labels[:4] = -1
        draws = with_shares(mixing().draws(1, 0, 16), 0.5)
        _, soft = mixing()(images, labels, draws, classes=5)
        unknown = (labels < 0) | (labels[draws.partners] < 0)
        assert 4 <= unknown.sum() < 16
        assert (soft[unknown] == -1).all()
        assert (soft[~unknown] >= 0).all()

    def test_inputs_stay_as_they_are(self, mixing):
        images, labels = batch()
        mixing()(images, labels, mixing().draws(1, 0, 16), classes=5)
        for found, expected in zip((images, labels), batch(), strict=True):
            np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
    def test_refuses_an_alpha_that_is_not_positive(self, mixing, alpha):
        with pytest.raises(InputError, match="alpha"):
            mixing(alpha=alpha)

    def test_refuses_what_does_not_fit(self, mixing):
        images, labels = batch()
        with pytest.raises(InputError, match="16 images, 16 labels, 8 draws"):
            mixing()(images, labels, mixing().draws(0, 0, 8), classes=5)
        with pytest.raises(InputError, match=r"Expected integer labels .* of −1 … 3"):
            mixing()(images, labels, mixing().draws(0, 0, 16), classes=4)


def test_mixup_is_the_weighted_mean():
    images, labels = batch()
    draws = MixUp().draws(2, 0, 16)
    mixed, soft = MixUp()(images, labels, draws, classes=5)
    own = draws.shares.astype("float64")
    expected = own * np.arange(16) + (1 - own) * draws.partners
    assert mixed.dtype == np.float32
    np.testing.assert_allclose(mixed, np.broadcast_to(expected[:, None, None, None], mixed.shape), rtol=1e-5)
    np.testing.assert_allclose(
        soft, own[:, None] * np.eye(5)[labels] + (1 - own[:, None]) * np.eye(5)[labels[draws.partners]], rtol=1e-5
    )


def test_mixup_with_no_share_is_the_partner():
    images, labels = batch()
    draws = with_shares(MixUp().draws(2, 0, 16), 0.0)
    mixed, soft = MixUp()(images, labels, draws, classes=5)
    np.testing.assert_array_equal(mixed, images[draws.partners])
    np.testing.assert_array_equal(soft, np.eye(5)[labels[draws.partners]])


@pytest.mark.parametrize("shape", [(8, 12), (32, 32), (7, 5)])
@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_cutmix_labels_have_exactly_the_share_of_the_pixels(shape, alpha):
    images, _ = batch(64, *shape)
    labels = np.arange(64)
    draws = CutMix(alpha).draws(2, 1, 64)
    mixed, soft = CutMix(alpha)(images, labels, draws, classes=64)
    assert mixed.dtype == images.dtype
    for i in range(64):
        own = np.float32((mixed[i, :, :, 0] == i).mean())
        assert soft[i, i] == (own if draws.partners[i] != i else 1)
        other = draws.partners[i]
        if other != i:
            assert soft[i, other] == np.float32(1) - own
            patch = np.argwhere(mixed[i, :, :, 0] == other)
            if len(patch):
                # All channels of one rectangle.
                sides = np.ptp(patch, axis=0) + 1
                assert len(patch) == sides.prod()
                assert (mixed[i] == mixed[i, :, :, :1]).all()


def test_cutmix_patch_in_the_middle_has_the_drawn_size():
    images, _ = batch(2, 8, 8)
    draws = Draws(np.float32([0.75, 0.0]), np.array([1, 0]), np.full((2, 2), 0.5, "float32"))
    mixed, shares = CutMix().mix(images, draws)
    np.testing.assert_array_equal(np.argwhere(mixed[0, :, :, 0] == 1)[[0, -1]], [[2, 2], [5, 5]])
    np.testing.assert_array_equal(shares, [0.75, 0.0])
    np.testing.assert_array_equal(mixed[1], images[0])


def test_cutmix_patch_is_cut_at_the_border():
    images, _ = batch(2, 8, 8)
    draws = Draws(np.float32([0.75, 1.0]), np.array([1, 0]), np.float32([[0.0, 1.0], [0.0, 0.0]]))
    mixed, shares = CutMix().mix(images, draws)
    # Rows 0 and 1, and columns 5 to 7, remain of 4 · 4 pixels about row 0 and column 7.
    assert (mixed[0, :2, 5:] == 1).all()
    assert (mixed[0] == 1).sum() == 2 * 3 * 3
    assert shares[0] == np.float32(1 - 6 / 64)


def test_labels_without_a_share_need_not_be_known():
    soft = soft_labels(np.array([2, -1, -1]), np.array([1, 0, 0]), np.float32([1.0, 0.0, 1.0]), 3)
    np.testing.assert_array_equal(soft, [[0, 0, 1], [0, 0, 1], [-1, -1, -1]])
