"""Golden file of the text metrics: what sacrebleu, rouge_score, seqeval, scipy and scikit-learn say of
generated texts, tags and numbers. SQuAD's script is in no package; its definition (lower case, no
ASCII punctuation, no articles, single spaces; F1 of the bags of words) is written down here.
Run: python scripts/golden/metrics_text.py (sacrebleu, rouge_score, seqeval, scipy, scikit-learn)"""

import collections
import json
import pathlib
import random
import re
import string
import warnings

import numpy as np
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from scipy import stats
from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.scheme import BILOU, IOB2, IOBES
from sklearn import metrics as sk

PATH = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "metrics-text.json"
warnings.simplefilter("ignore")
rng = random.Random(20021018)

WORDS = (
    "the a an of to and cat cats running runner ran house houses nationally relational generalization hopping "
    "Hopped don't it's U.S. 3.14 1,000 2-0 well-known (yes) [no] \"quoted\" &amp; &lt;b&gt; <skipped> e.g. e-mail "
    "naïve Straße STRASSE über İstanbul čaj 東京 大阪。 привет мир, γεια σας; ½ ٣٤ 🙂 👩‍👩‍👧 x² €5 50% #tag @me "
    "flies dying skies valley happily argument arguing sensibility decisiveness news proceed agreed feed"
).split()
SPACES = [" "] * 30 + ["  ", "\u00a0", "\t", " - ", "\u3000", "\u0085", " , ", ". "]


def text(n):
    return "".join(rng.choice(WORDS) + rng.choice(SPACES) for _ in range(n)).strip(" ")


def near(source):
    """A text with words of `source` left out, exchanged, repeated."""
    words = source.split(" ")
    out = []
    for w in words:
        r = rng.random()
        if r < 0.12:
            continue
        out.append(rng.choice(WORDS) if r < 0.25 else w)
        if r > 0.95:
            out.append(w)
    if len(out) > 3 and rng.random() < 0.3:
        i, j = rng.randrange(len(out)), rng.randrange(len(out))
        out[i], out[j] = out[j], out[i]
    return " ".join(out)


def number(v):
    return "NaN" if np.isnan(v) else float(f"{v:.13g}")


def segments(n, refs):
    """`refs` references each, or one to three where it is None."""
    hyps, references = [], []
    for i in range(n):
        base = text(rng.randrange(1, 13))
        count = refs or rng.randrange(1, 4)
        references.append([base] + [near(base) for _ in range(count - 1)])
        hyps.append("" if i % 23 == 7 else text(3) if i % 11 == 5 else base if i % 29 == 3 else near(base))
    references[2][0] = "-"
    hyps[4] = "a\nbroken line-\nend "
    references[4][0] = "a broken\nline end. Really"
    return hyps, references


def transposed(references):
    width = max(map(len, references))
    return [[r[k] if k < len(r) else None for r in references] for k in range(width)]


BLEU_OPTIONS = [
    {"tokenize": t, "smooth_method": s, "lowercase": low, "effective_order": eff}
    for t in ["13a", "intl", "char", "none", "zh"]
    for s, low, eff in [("exp", False, False), ("floor", True, False), ("add-k", False, True), ("none", False, False)]
]
CHRF_OPTIONS = [
    {},
    {"word_order": 2},
    {"word_order": 2, "lowercase": True, "whitespace": True, "char_order": 4, "beta": 3},
]
ROUGE = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


def rouge(hyps, references, stemmer):
    scorer = RougeScorer(ROUGE, use_stemmer=stemmer)
    each = [scorer.score_multi(r, h) for h, r in zip(hyps, references)]
    return {
        t: {
            "sentences": [number(s[t].fmeasure) for s in each],
            "mean": [
                number(np.mean([getattr(s[t], k) for s in each]))
                for k in ["precision", "recall", "fmeasure"]
            ],
        }
        for t in ROUGE
    }


def corpus(n, refs):
    hyps, references = segments(n, refs)
    columns = transposed(references)
    bleus, chrfs = [], []
    for o in BLEU_OPTIONS:
        m = BLEU(**o)
        s = m.corpus_score(hyps, columns)
        bleus.append(
            {
                "options": o,
                "score": number(s.score),
                "precisions": [number(p) for p in s.precisions],
                "bp": number(s.bp),
                "lengths": [s.sys_len, s.ref_len],
                "signature": str(m.get_signature()),
            }
        )
    for o in CHRF_OPTIONS:
        m = CHRF(**o)
        s = m.corpus_score(hyps, columns)
        chrfs.append({"options": o, "score": number(s.score), "signature": str(m.get_signature())})
    single = BLEU(effective_order=True)
    return {
        "hyps": hyps,
        "refs": references,
        "bleu": bleus,
        "sentenceBleu": [number(single.sentence_score(h, r).score) for h, r in zip(hyps, references)],
        "chrf": chrfs,
        "sentenceChrf": [number(CHRF().sentence_score(h, r).score) for h, r in zip(hyps, references)],
        "rouge": rouge(hyps, references, False),
        "rougeStemmed": rouge(hyps, references, True),
    }


def tags(n, prefixes, types):
    return [
        "O" if rng.random() < 0.35 else f"{rng.choice(prefixes)}-{rng.choice(types)}" for _ in range(n)
    ]


def entity_case(scheme, prefixes, types):
    lengths = [rng.randrange(1, 12) for _ in range(25)]
    true = [tags(n, prefixes, types) for n in lengths]
    pred = [
        [t if rng.random() < 0.8 else tags(1, prefixes, types)[0] for t in row] for row in true
    ]
    score = precision_recall_fscore_support if scheme is None else strict_scores
    args = {} if scheme is None else {"scheme": scheme}

    def run(average):
        return [number(v) for v in score(true, pred, average=average, zero_division=0, **args)]

    each = score(true, pred, average=None, zero_division=0, **args)
    return {
        "scheme": "lenient" if scheme is None else scheme.__name__,
        "true": [" ".join(r) for r in true],
        "pred": [" ".join(r) for r in pred],
        "accuracy": number(accuracy_score(true, pred)),
        "micro": run("micro"),
        "macro": run("macro"),
        "weighted": run("weighted"),
        "types": [[number(v) for v in row] for row in np.array(each).T],
    }


def correlation_case(n, levels):
    a = [rng.randrange(levels) / 4 for _ in range(n)]
    b = [v + rng.randrange(levels) / 8 for v in a]
    return {
        "a": a,
        "b": b,
        "pearson": number(stats.pearsonr(a, b).statistic),
        "spearman": number(stats.spearmanr(a, b).statistic),
    }


def multi_label_case(n, classes):
    y = np.array([[int(rng.random() < 0.3) for _ in range(classes)] for _ in range(n)])
    y[:, -1] = 0
    p = np.where(np.random.default_rng(n).random(y.shape) < 0.25, 1 - y, y)

    def run(average):
        r = sk.precision_recall_fscore_support(y, p, average=average, zero_division=0)
        return [number(v) for v in r[:3]]

    binary = sk.precision_recall_fscore_support(y[:, 0], p[:, 0], average="binary", zero_division=0)
    return {
        "classes": classes,
        "labels": y.reshape(-1).tolist(),
        "predicted": p.reshape(-1).tolist(),
        "micro": run("micro"),
        "macro": run("macro"),
        "weighted": run("weighted"),
        "exactMatch": number(sk.accuracy_score(y, p)),
        "binary": [number(v) for v in binary[:3]],
    }


def normalize_answer(answer):
    bare = "".join(c for c in answer.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def compute_exact(gold, said):
    return int(normalize_answer(gold) == normalize_answer(said))


def compute_f1(gold, said):
    a, b = (collections.Counter(normalize_answer(t).split()) for t in (said, gold))
    if not a or not b:
        return float(a == b)
    shared = (a & b).total()
    precision, recall = shared / a.total(), shared / b.total()
    return 2 * precision * recall / (precision + recall) if shared else 0.0


def answer_case():
    right = [text(rng.randrange(0, 5)) for _ in range(rng.randrange(0, 4))]
    said = rng.choice([near(right[0]) if right else "", "", text(2), "The " + right[0] + "!" if right else "an"])
    golds = [r for r in right if normalize_answer(r)] or [""]
    return {
        "answer": said,
        "right": right,
        "normalized": normalize_answer(said),
        "exactMatch": max(compute_exact(g, said) for g in golds),
        "f1": number(max(compute_f1(g, said) for g in golds)),
    }


SUFFIXES = (
    "s es ies sses ed eed ied ing ly y ational tional enci anci izer bli abli alli entli eli ousli ization ation ator "
    "alism iveness fulness ousness aliti iviti biliti logi fulli icate ative alize iciti ical ful ness al ance ence "
    "er ic able ible ant ement ment ent sion tion ou ism ate iti ous ive ize e ll"
).split()
STEMS = "a by tr hop hopp fil fail trouble siz cease roll control enjo happ geo theolo run syzyg yy adopt fall conform 7up".split()
stemmer = PorterStemmer()
stems = sorted({s + e for s in STEMS for e in rng.sample(SUFFIXES, 22)} | set(stemmer.pool) | {"ed", "ing", "ss"})

golden = {
    "corpora": [corpus(120, 1), corpus(60, 3), corpus(40, None)],
    "stems": [[w, stemmer.stem(w)] for w in stems],
    "entities": [entity_case(None, p, ["PER", "LOC", "A-B"]) for p in ["BI", "I", "BIES", "BILU"]]
    + [entity_case(s, p, ["PER", "LOC"]) for s, p in [(IOB2, "BI"), (IOBES, "BIES"), (BILOU, "BILU")]],
    "correlations": [correlation_case(n, k) for n, k in [(2, 9), (17, 4), (30, 100), (40, 2)]],
    "multiLabel": [multi_label_case(n, k) for n, k in [(1, 3), (30, 4), (25, 7)]],
    "answers": [answer_case() for _ in range(60)],
}
PATH.write_text(json.dumps(golden, separators=(",", ":"), ensure_ascii=False) + "\n")
print(f"{PATH}: {PATH.stat().st_size} bytes")
