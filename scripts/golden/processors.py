"""Writes test/golden/generate/processors.json: scores of words before and after transformers' logits processors."""

import json

import numpy as np
import torch
import transformers as t
from common import ROOT

VOCABULARY = 24
r = np.random.default_rng(5)


def scores(scale):
    return (r.standard_normal(VOCABULARY) * scale).round(3).astype(np.float32)


def ids(count, low=0, high=8):
    return r.integers(low, high, count).tolist()


CASES = [
    ("temperature", [0.7], t.TemperatureLogitsWarper(0.7)),
    ("temperature", [1.9], t.TemperatureLogitsWarper(1.9)),
    ("topK", [1], t.TopKLogitsWarper(1)),
    ("topK", [7], t.TopKLogitsWarper(7)),
    ("topK", [100], t.TopKLogitsWarper(100)),
    ("topP", [0.5], t.TopPLogitsWarper(0.5)),
    ("topP", [0.95], t.TopPLogitsWarper(0.95)),
    ("topP", [0.0], t.TopPLogitsWarper(0.0)),
    ("minP", [0.1], t.MinPLogitsWarper(0.1)),
    ("minP", [1.0], t.MinPLogitsWarper(1.0)),
    ("repetitionPenalty", [1.3], t.RepetitionPenaltyLogitsProcessor(1.3)),
    ("repetitionPenalty", [0.8], t.RepetitionPenaltyLogitsProcessor(0.8)),
    ("noRepeatNgram", [1], t.NoRepeatNGramLogitsProcessor(1)),
    ("noRepeatNgram", [2], t.NoRepeatNGramLogitsProcessor(2)),
    ("noRepeatNgram", [3], t.NoRepeatNGramLogitsProcessor(3)),
    ("badWords", [[[5], [3, 4], [1, 2, 9], [2]], [2]], t.NoBadWordsLogitsProcessor([[5], [3, 4], [1, 2, 9], [2]], [2])),
    ("suppressTokens", [[1, 17]], t.SuppressTokensLogitsProcessor([1, 17])),
    ("suppressAtBegin", [[4, 6], False], t.SuppressTokensAtBeginLogitsProcessor([4, 6], 3)),
    ("minNewTokens", [4, [2, 3]], t.MinNewTokensLengthLogitsProcessor(3, 4, [2, 3])),
    ("forcedBos", [11], t.ForcedBOSTokenLogitsProcessor(11)),
    ("forcedEos", [[2, 3], 6], t.ForcedEOSTokenLogitsProcessor(9, [2, 3])),
]
#: Words of the prompt, which a text may not have reached: the processors are told both.
PROMPT = 3
#: Texts so far.
TEXTS = [ids(n) for n in (1, 3, 5, 8, 20)] + [[1, 2, 3, 1, 2, 3, 1, 2], [7, 3, 3, 3], [0, 1, 2]]


def plain(values):
    return [None if np.isneginf(v) else float(f"{v:.7g}") for v in values]


def main():
    out = []
    for name, arguments, processor in CASES:
        for i, text in enumerate(TEXTS):
            before = scores((1.0, 4.0)[i % 2])
            after = processor(torch.tensor([text]), torch.from_numpy(before[None].copy()))[0].numpy()
            out.append(
                {
                    "name": name,
                    "arguments": arguments,
                    "ids": text,
                    "promptLength": PROMPT,
                    "before": plain(before),
                    "after": plain(after),
                }
            )
    path = ROOT / "test" / "golden" / "generate" / "processors.json"
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


main()
