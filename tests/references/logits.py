"""Logit objectives from their papers in float64 NumPy and SciPy, as (teacher, student, labels, **config) → (batch,)."""

import numpy as np
from scipy.special import softmax
from scipy.stats import entropy, pearsonr, zscore


def probabilities(logits, temperature=1.0):
    return softmax(np.asarray(logits, "float64") / temperature, axis=-1)


def hinton(teacher, student, labels, temperature=4.0):
    """1503.02531, section 2: temperature² times the relative entropy of the softened distributions."""
    p, q = probabilities(teacher, temperature), probabilities(student, temperature)
    return temperature**2 * np.array([entropy(a, b) for a, b in zip(p, q, strict=True)])


def mean_squared_logits(teacher, student, labels):
    """1312.6184, equation 1: the squared norm of the difference of logits, here divided by the number of classes."""
    difference = np.asarray(student, "float64") - np.asarray(teacher, "float64")
    return np.linalg.norm(difference, axis=-1) ** 2 / difference.shape[-1]


def decoupled(teacher, student, labels, alpha=1.0, beta=8.0, temperature=4.0):
    """2203.08679, equation 7, with the set of targets of each sample taken out by hand."""
    losses = []
    for sample, (t, s) in enumerate(zip(teacher, student, strict=True)):
        p, q = probabilities(t, temperature), probabilities(s, temperature)
        label = np.asarray(-1 if labels is None else labels[sample])
        targets = [int(label)] if label.ndim == 0 and label >= 0 else []
        if label.ndim == 1:
            targets = [c for c, share in enumerate(label) if share > 1 / len(label)]
        targets = targets or [int(np.argmax(t))]
        others = [c for c in range(len(p)) if c not in targets]
        tckd = entropy([*p[targets], p[others].sum()], [*q[targets], q[others].sum()])
        nckd = entropy(p[others] / p[others].sum(), q[others] / q[others].sum())
        losses.append(temperature**2 * (alpha * tckd + beta * nckd))
    return np.array(losses)


def dist(teacher, student, labels, beta=2.0, gamma=2.0, temperature=4.0):
    """2205.10536: 1 − Pearson of each row, and each sample's share of 1 − Pearson of the columns."""
    p, q = probabilities(teacher, temperature), probabilities(student, temperature)
    rows = np.array([1 - pearsonr(a, b).statistic for a, b in zip(p, q, strict=True)])
    # A column's 1 − Pearson, spread by how far apart the two z-scores of each sample are.
    apart = (zscore(p, axis=0) - zscore(q, axis=0)) ** 2
    apart = apart / np.maximum(apart.sum(axis=0), 1e-30)
    share = np.mean(len(p) * (1 - dist_columns(p, q)) * apart, axis=-1)
    return temperature**2 * (beta * rows + gamma * share)


def dist_columns(p, q):
    """Pearson's coefficient of each column."""
    return np.array([pearsonr(a, b).statistic for a, b in zip(p.T, q.T, strict=True)])


def ttm(teacher, student, labels, temperature=10.0):
    """2402.11148, equations 2 and 7: divergence from the power-transformed teacher."""
    powers = probabilities(teacher) ** (1 / temperature)
    transformed = powers / powers.sum(axis=-1, keepdims=True)
    return entropy(transformed, probabilities(student), axis=-1)


def wttm(teacher, student, labels, temperature=10.0):
    """2402.11148, equations 22 and 23."""
    return (probabilities(teacher) ** (1 / temperature)).sum(axis=-1) * ttm(teacher, student, labels, temperature)


def standardized(teacher, student, labels, temperature=2.0):
    """2403.01427: Hinton's objective on z-scores."""
    teacher, student = (zscore(np.asarray(logits, "float64"), axis=-1) for logits in (teacher, student))
    return hinton(teacher, student, labels, temperature)


def multi_level(teacher, student, labels, temperatures=(2.0, 3.0, 4.0, 5.0, 6.0)):
    """CVPR 2023: instance, batch and class level, summed over temperatures."""
    loss = np.zeros(len(teacher))
    for temperature in temperatures:
        p, q = probabilities(teacher, temperature), probabilities(student, temperature)
        loss += hinton(teacher, student, labels, temperature)
        loss += np.linalg.norm(p @ p.T - q @ q.T, axis=-1) ** 2
        loss += np.linalg.norm(p.T @ p - q.T @ q, ord="fro") ** 2 / p.shape[-1]
    return loss


def refined(teacher, student, labels, alpha=1.0, beta=8.0, temperature=4.0):
    """2408.07703, equations 4 to 10: confidence of the label, and the classes that the teacher ranks below it."""
    losses = []
    for sample, (t, s) in enumerate(zip(teacher, student, strict=True)):
        p, q = probabilities(t, temperature), probabilities(s, temperature)
        label = int(labels[sample])
        confidence = entropy([p.max(), 1 - p.max()], [q[label], 1 - q[label]])
        below = [c for c in range(len(p)) if t[c] < t[label]]
        correlation = entropy(p[below] / p[below].sum(), q[below] / q[below].sum()) if below else 0.0
        losses.append(temperature**2 * (alpha * confidence + beta * correlation))
    return np.array(losses)


def alpha_beta(teacher, student, labels, alpha=0.8, beta=0.3, temperature=4.0):
    """2505.04560, the α-β-divergence, term by term as it is defined."""
    p, q = probabilities(teacher, temperature), probabilities(student, temperature)
    total = alpha + beta
    terms = p**alpha * q**beta - alpha / total * p**total - beta / total * q**total
    return -terms.sum(axis=-1) / (alpha * beta)


# Name in the table of objectives → its reference.
REFERENCES = {
    "hinton": hinton,
    "mean_squared_logits": mean_squared_logits,
    "decoupled": decoupled,
    "dist": dist,
    "ttm": ttm,
    "wttm": wttm,
    "standardized": standardized,
    "multi_level": multi_level,
    "refined": refined,
    "alpha_beta": alpha_beta,
}
