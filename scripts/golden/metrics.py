"""Golden file of the metrics: scikit-learn's values for random predictions with ties, absent classes
and weights; the calibration error by numpy after Guo et al. 2017; Welch's interval by scipy.
Run: python scripts/golden/metrics.py (numpy, scipy, scikit-learn)"""

import json
import pathlib
import warnings

import numpy as np
from scipy import stats
from sklearn import metrics as sk

PATH = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "metrics.json"
warnings.simplefilter("ignore")  # classes that are absent on purpose
rng = np.random.default_rng(20170614)


def number(v):
    return "NaN" if np.isnan(v) else float(f"{v:.9g}")


def distribution(n, classes, kind):
    """Rows that sum to one; `ties` and `sure` have many equal values, `wild` some zeros and ones."""
    if kind == "ties":
        cuts = np.sort(rng.integers(0, 9, size=(n, classes - 1)), axis=1)
        edges = np.concatenate([np.zeros((n, 1)), cuts, np.full((n, 1), 8)], axis=1)
        return np.diff(edges, axis=1) / 8
    if kind == "sure":
        return np.eye(classes)[rng.integers(0, classes, n)]
    p = rng.dirichlet(np.full(classes, 0.3 if kind == "wild" else 1.5), size=n)
    return p


def ece(p, y, w, bins=15):
    confidence = p.max(1)
    right = p.argmax(1) == y
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    rows = []
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        weight = w[inside].sum()
        if weight == 0:
            rows.append([0, "NaN", "NaN"])
            continue
        c = np.average(confidence[inside], weights=w[inside])
        a = np.average(right[inside], weights=w[inside])
        rows.append([number(weight), number(c), number(a)])
        total += weight / w.sum() * abs(a - c)
    return total, rows


def per_class(metric, p, y, w):
    return [
        number(metric((y == c).astype(int), p[:, c], sample_weight=w)) for c in range(p.shape[1])
    ]


def case(n, classes, kind, weighted, present):
    p = distribution(n, classes, kind).astype(np.float32)
    y = rng.choice(present, size=n)
    # Half of the answers follow the prediction, so that the metrics are not all near chance.
    follow = rng.random(n) < 0.5
    y = np.where(follow & np.isin(p.argmax(1), present), p.argmax(1), y)
    w = rng.integers(1, 9, n) / 4 if weighted else np.ones(n)
    labels = list(range(classes))
    predicted = p.argmax(1)
    each = sk.precision_recall_fscore_support(
        y, predicted, labels=labels, sample_weight=w, zero_division=0
    )

    def averaged(how):
        return [
            number(v)
            for v in sk.precision_recall_fscore_support(
                y, predicted, average=how, sample_weight=w, zero_division=0
            )[:3]
        ]

    aurocs = per_class(sk.roc_auc_score, p, y, w)
    aps = per_class(sk.average_precision_score, p, y, w)
    error, bins = ece(p.astype(np.float64), y, w)
    return {
        "kind": kind,
        "classes": classes,
        "probabilities": [float(f"{v:.9g}") for v in p.reshape(-1)],
        "labels": y.tolist(),
        "weights": w.tolist() if weighted else None,
        "accuracy": number(sk.accuracy_score(y, predicted, sample_weight=w)),
        # Columns reversed: of equal values ours takes the first, scikit-learn the last.
        "topK": [
            number(
                (lambda q, t: sk.top_k_accuracy_score(t, q, k=k, labels=labels, sample_weight=w))(
                    p[:, ::-1] if classes > 2 else p[:, 1], classes - 1 - y if classes > 2 else y
                )
            )
            for k in range(1, classes)
        ]
        if classes > 2
        else [],
        "balancedAccuracy": number(sk.balanced_accuracy_score(y, predicted, sample_weight=w)),
        "perClass": [[number(v) for v in row] for row in each],
        "macro": averaged("macro"),
        "weighted": averaged("weighted"),
        "aurocPerClass": aurocs,
        "averagePrecisionPerClass": aps,
        "auroc": number(sk.roc_auc_score(y, p[:, 1], sample_weight=w))
        if classes == 2
        else number(
            sk.roc_auc_score(y, p, multi_class="ovr", average="macro", sample_weight=w, labels=labels)
        )
        if len(np.unique(y)) == classes
        else None,
        "averagePrecision": number(sk.average_precision_score(y, p[:, 1], sample_weight=w))
        if classes == 2
        else number(sk.average_precision_score(y, p, sample_weight=w))
        if len(np.unique(y)) == classes
        else None,
        "confusion": [
            number(v)
            for v in sk.confusion_matrix(y, predicted, labels=labels, sample_weight=w).reshape(-1)
        ],
        "logLoss": number(sk.log_loss(y, p, labels=labels, sample_weight=w)),
        "brier": number(sk.brier_score_loss(y, p, labels=labels, sample_weight=w)),
        "calibrationError": number(error),
        "bins": bins,
        "matthews": number(sk.matthews_corrcoef(y, predicted, sample_weight=w)),
    }


cases = []
for kind in ["plain", "ties", "wild", "sure"]:
    for weighted in [False, True]:
        cases.append(case(23, 2, kind, weighted, [0, 1]))
        cases.append(case(31, 4, kind, weighted, [0, 1, 2, 3]))
        cases.append(case(17, 6, kind, weighted, [0, 2, 5]))
    cases.append(case(9, 2, kind, True, [0]))  # one class only
    cases.append(case(11, 3, kind, False, [1]))
    cases.append(case(1, 3, kind, False, [2]))

student = [
    {"df": df, "p": p, "t": number(stats.t.ppf(p, df))}
    for df in [1, 1.5, 2, 3.7, 10, 400]
    for p in [0.01, 0.4, 0.6, 0.95, 0.975, 0.9995]
]
gains = []
for na, nb, shift in [(3, 3, 0.2), (3, 5, 0.0), (2, 2, -0.4), (8, 3, 0.05)]:
    a = (rng.normal(0.7 + shift, 0.03, na)).round(4)
    b = (rng.normal(0.7, 0.06, nb)).round(4)
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    gains.append(
        {
            "transfer": a.tolist(),
            "scratch": b.tolist(),
            "gain": number(a.mean() - b.mean()),
            "low": number(interval.low),
            "high": number(interval.high),
        }
    )

PATH.write_text(
    json.dumps({"cases": cases, "student": student, "gains": gains}, separators=(",", ":"))
    .replace('{"kind"', '\n{"kind"')
    + "\n"
)
print(f"{PATH}: {len(cases)} cases, {PATH.stat().st_size} bytes")
