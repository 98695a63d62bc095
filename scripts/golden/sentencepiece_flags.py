"""Golden file of Unigram models with other flags than SentencePiece's defaults: ids and text of drawn texts.

Run: python scripts/golden/sentencepiece_flags.py
"""

import base64
import io
import json
import pathlib
import random

import sentencepiece

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "tokenizers" / "sentencepiece-flags.json"
SENTENCES = ["the house is big", "the dog sleeps  in the house", "a big dog and a small cat", "is the cat in  the garden ?",
             "the garden of the house is green", "  we see the dogs and   the cats", "he sleeps; she reads a book."] * 4
FLAGS = {
    "defaults": {},
    "no prefix": dict(add_dummy_prefix=False),
    "all spaces": dict(remove_extra_whitespaces=False),
    "neither": dict(add_dummy_prefix=False, remove_extra_whitespaces=False),
    "pieces over spaces": dict(split_by_whitespace=False),
}
PARTS = ["the", "house", "dogs", "a", "?", " ", " ", "  ", "\t", "\n", "\u00a0", "\u3000", "▁", "▁▁", "日", "é", "<s>"]


def main():
    draw = random.Random(7)
    texts = ["", " ", "▁", " the dog", "the dog ", "▁the ▁ dog ▁"]
    texts += ["".join(draw.choice(PARTS) for _ in range(draw.randrange(1, 12))) for _ in range(60)]
    out = {}
    for name, flags in FLAGS.items():
        buffer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES), model_writer=buffer, vocab_size=90, model_type="unigram",
            normalization_rule_name="identity", hard_vocab_limit=False, num_threads=1, minloglevel=2, **flags)
        model = sentencepiece.SentencePieceProcessor(model_proto=buffer.getvalue())
        out[name] = {
            "model": base64.b64encode(buffer.getvalue()).decode(),
            "cases": [{"text": t, "ids": model.encode(t), "decoded": model.decode(model.encode(t))} for t in texts],
        }
    OUT.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")))
    print(sentencepiece.__version__, OUT.stat().st_size)


main()
