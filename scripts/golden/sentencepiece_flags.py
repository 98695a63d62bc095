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
    # What nmt_nfkc, with its 240 KB, does to white space.
    "spaces alone": dict(spaces=True),
    "pieces over spaces": dict(split_by_whitespace=False),
}
SPACES = "\t\n\f\r\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000▁"
PARTS = ["the", "house", "dogs", "a", "?", " ", " ", "  ", "\t", "\n", "\u00a0", "\u3000", "▁", "▁▁", "日", "é", "<s>"]


def main():
    draw = random.Random(7)
    texts = ["", " ", "▁", " the dog", "the dog ", "▁the ▁ dog ▁"]
    texts += ["".join(draw.choice(PARTS) for _ in range(draw.randrange(1, 12))) for _ in range(60)]
    out = {}
    for name, flags in FLAGS.items():
        buffer = io.BytesIO()
        flags = {"normalization_rule_name": "identity", **flags}
        rules = OUT.with_suffix(".tsv")
        if flags.pop("spaces", False):
            rules.write_text("".join(f"{ord(c):X}\t20\n" for c in SPACES))
            flags = {"normalization_rule_tsv": str(rules)}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES), model_writer=buffer, vocab_size=90, model_type="unigram",
            hard_vocab_limit=False, num_threads=1, minloglevel=2, **flags)
        rules.unlink(missing_ok=True)
        model = sentencepiece.SentencePieceProcessor(model_proto=buffer.getvalue())
        out[name] = {
            "model": base64.b64encode(buffer.getvalue()).decode(),
            "cases": [{"text": t, "ids": model.encode(t), "decoded": model.decode(model.encode(t))} for t in texts],
        }
    OUT.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")))
    print(sentencepiece.__version__, OUT.stat().st_size)


main()
