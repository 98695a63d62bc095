"""Golden files of Marian's tokenizer: transformers' MarianTokenizer is the referee.

Two small SentencePiece models over one vocabulary with languages, and the ids of texts on both sides.
Run: python scripts/golden/marian_files.py
"""

import io
import json
import pathlib
import warnings

import sentencepiece
import transformers
from transformers import MarianTokenizer

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "tokenizers" / "marian"
SOURCE = ["the house is big", "the dog sleeps in the house", "a big dog and a small cat", "is the cat in the garden ?",
          "the garden of the house is green", "we see the dogs and the cats", "he sleeps; she reads a book."] * 4
TARGET = ["la maison est grande", "le chien dort dans la maison", "un grand chien et un petit chat", "le chat est-il dans le jardin ?",
          "le jardin de la maison est vert", "nous voyons les chiens et les chats", "il dort ; elle lit un livre.", "où est l'été, où ?"] * 4
TEXTS = [
    "the house is big", ">>fra<< the house is big", ">>deu<<the dog", ">>fra<<", ">>fra<<  the   dog ", " >>fra<< the dog",
    "the >>fra<< dog", ">>xyz<< the dog", ">>fra<< >>deu<< the dog", ">>fra the dog", ">> << the dog", "the << dog >>",
    "le chien dort dans la maison", "où est l'été ?", "oùù", "ù", "é é éé", "日本", "日", "the日cat", "x<s>y", "a</s>b", "the <unk> dog",
    "", " ", "tabs\tand\nlines", "▁the ▁ dog", "the\u00a0dog\u3000sleeps", "Grüße!", "the house. The DOG?",
]


def model(sentences, size):
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=buffer, vocab_size=size, model_type="unigram",
        normalization_rule_name="identity", hard_vocab_limit=False, num_threads=1, minloglevel=2)
    return buffer.getvalue()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    pieces = []
    for name, sentences, size in [("source", SOURCE, 70), ("target", TARGET, 80)]:
        data = model(sentences, size)
        (OUT / f"{name}.spm").write_bytes(data)
        loaded = sentencepiece.SentencePieceProcessor(model_proto=data)
        pieces += [loaded.id_to_piece(i) for i in range(3, loaded.get_piece_size())]
    # A lone character that neither model has, and one only of the vocabulary.
    tokens = ["</s>", "<unk>", *dict.fromkeys([*pieces, "日", "oùù", ">>fra<<", ">>deu<<"]), "<pad>"]
    (OUT / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}, ensure_ascii=False))
    (OUT / "tokenizer_config.json").write_text(json.dumps({"source_lang": "en", "target_lang": "fr"}))
    warnings.simplefilter("ignore")
    tokenizer = MarianTokenizer.from_pretrained(OUT)
    cases = [{"text": t, "source": tokenizer(t)["input_ids"], "target": tokenizer(text_target=t)["input_ids"]} for t in TEXTS]
    for case in cases:
        case["decoded"] = tokenizer.decode(case["source"], skip_special_tokens=True)
    (OUT / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
    print(transformers.__version__, sentencepiece.__version__, len(tokens))


main()
