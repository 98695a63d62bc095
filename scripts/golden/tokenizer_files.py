"""Golden files of tokenizers: Hugging Face's tokenizers and Google's sentencepiece are the referees.

The corpus is the first documents of SciTLDR (Apache-2.0) and some lines in other languages.
Run: python scripts/golden/tokenizer_files.py ../shared/data/scitldr/train.jsonl
"""

import io
import json
import pathlib
import random
import sys

import sentencepiece
import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "tokenizers"
OTHER = [
    "Der Fluss fließt langsam durch die große, grüne Ebene – und über die Brücke fährt ein Zug.",
    "Où est passée l'été dernier ? Çà et là, dit-elle : « déjà ! »",
    "El niño comió mañana; ¿quién lo habría creído? ¡Nadie!",
    "日本語の文章は空白なしで書かれる。東京都に住む。",
    "Привет, мир! Как дела сегодня?",
    "Γειά σου Κόσμε, ΟΔΟΣ ΣΟΦΙΑΣ",
    "emoji 😀👍🏽 👨‍👩‍👧 and ﬁne ligatures, ①②③, ｆｕｌｌ width, ½ … ™",
    "ä ö ü é combining, z̈̇̃ stacked, ́ alone",
    "İstanbul'da ISSIZ bir gece",
    "tabs\tand\nlines   many    spaces ",
    "e-mail: someone@example.org, https://example.org/a?b=c&d=1 costs $3,000.50 (12%)",
    "zero​width‍joiner﻿ and soft­hyphen",
    "Ｗｉｄｅ　ｓｐａｃｅ",
    "",
    " ",
    "'s 't don't we'll I'd they've",
    "ÅÅ Å K Ω 각 각",
]


def corpus(path):
    texts = []
    for line in open(path, encoding="utf-8"):
        source = json.loads(line)["source"]
        texts.append(" ".join(source) if isinstance(source, list) else source)
        if sum(map(len, texts)) > 60_000:
            break
    return texts + OTHER[:11]


def cases(rows):
    return [{"text": text, "ids": ids} for text, ids in rows]


def piece_files(texts):
    """Two models of SentencePiece with the ids that it gives, and what their kinds make of them."""
    # Few rules, because nmt_nfkc alone has 240 KB: one to one, to many, to none, from many.
    rules = {
        "ﬁ": "fi", "①": "1", "②": "2", "③": "3", "½": "1⁄2", "…": "...", "™": "TM", "​": "",
        "﻿": "", "­": "", "　": " ", "\t": " ", "\n": " ", "e\u0301": "é", "a\u0308": "ä", "👍🏽": "👍",
        **{chr(0xFF21 + i): chr(65 + i) for i in range(26)},
        **{chr(0xFF41 + i): chr(97 + i) for i in range(26)},
    }
    tsv = OUT / "rules.tsv"
    hexes = lambda s: " ".join(f"{ord(c):X}" for c in s)
    tsv.write_text("".join(f"{hexes(k)}\t{hexes(v)}\n" for k, v in sorted(rules.items())))
    out = {}
    kinds = {
        "unigram": dict(model_type="unigram", vocab_size=600, normalization_rule_tsv=str(tsv), pad_id=-1),
        "bpe": dict(model_type="bpe", vocab_size=900, normalization_rule_name="identity", byte_fallback=True,
                    remove_extra_whitespaces=False, user_defined_symbols=["<code>"]),
    }
    for name, options in kinds.items():
        buffer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=buffer, character_coverage=0.9995, num_threads=1,
            minloglevel=2, **options)
        data = buffer.getvalue()
        (OUT / f"{name}.model").write_bytes(data)
        model = sentencepiece.SentencePieceProcessor(model_proto=data)
        tests = OTHER + texts[:8] + (["a <code> b", "<code>", "x<code>y"] if name == "bpe" else [])
        out[name] = {
            "cases": cases((t, model.encode(t)) for t in tests),
            "decoded": [model.decode(model.encode(t)) for t in tests],
        }
    tsv.unlink()
    return out


def trained(texts):
    """What the trainers of Hugging Face make of the corpus."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=1200, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    word_piece = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    word_piece.normalizer = normalizers.BertNormalizer()
    word_piece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    word_piece.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=1200, min_frequency=2, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        show_progress=False))
    unigram = Tokenizer(models.Unigram())
    unigram.normalizer = normalizers.NFKC()
    unigram.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    unigram.train_from_iterator(texts, trainers.UnigramTrainer(
        vocab_size=1000, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    return {
        "bpe": json.loads(bpe.to_str())["model"]["merges"],
        "wordPiece": sorted(word_piece.get_vocab()),
        "unigram": json.loads(unigram.to_str())["model"]["vocab"],
    }, word_piece, bpe


def encoded(e):
    return {"ids": e.ids, "typeIds": e.type_ids, "offsets": e.offsets, "wordIds": e.word_ids,
            "sequenceIds": e.sequence_ids, "special": e.special_tokens_mask}


def words_and_pairs(word_piece, bpe):
    """Words that are already split, and pairs cut to a length, which the Node binding cannot do."""
    word_piece.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    word_piece.decoder = decoders.WordPiece()
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.add_special_tokens(["<s>", "</s>"])
    bpe.post_processor = processors.RobertaProcessing(
        ("</s>", bpe.token_to_id("</s>")), ("<s>", bpe.token_to_id("<s>")), trim_offsets=True,
        add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    out = []
    for name, tokenizer in [("wordPiece", word_piece), ("bpe", bpe)]:
        words = [[w for w in t.split(" ") if w != ""] for t in OTHER]
        words.append([" leading", "trailing ", "two words", "", "​"])
        rows = {"json": json.loads(tokenizer.to_str()), "words": [], "pairs": []}
        for w in words:
            for length in (None, 7):
                tokenizer.no_truncation()
                if length:
                    tokenizer.enable_truncation(length)
                rows["words"].append({"words": w, "maxLength": length,
                                      "expected": encoded(tokenizer.encode(w, is_pretokenized=True))})
        r = random.Random(5)
        for _ in range(40):
            a, b = r.choice(OTHER), r.choice(OTHER)
            length = r.randrange(4, 30)
            tokenizer.enable_truncation(length, strategy="longest_first")
            rows["pairs"].append({"text": a, "pair": b, "maxLength": length,
                                  "expected": encoded(tokenizer.encode(a, b))})
        out.append((name, rows))
    return dict(out)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    texts = corpus(sys.argv[1])
    (OUT / "corpus.json").write_text(json.dumps(texts, ensure_ascii=False))
    write = lambda name, value: (OUT / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    write("sentencepiece.json", piece_files(texts))
    learned, word_piece, bpe = trained(texts)
    write("trained.json", learned)
    write("words.json", words_and_pairs(word_piece, bpe))
    print(tokenizers.__version__, sentencepiece.__version__)


main()
