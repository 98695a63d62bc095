/** Texts and a tokenizer for benchmarks: real ones where ../shared/data is there, else the repository's own words. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import {
  createTokenizer,
  fromVocabText,
  type Tokenizer,
  trainWordPiece,
} from '../src/data/index.js';

const SHARED = new URL('../../shared/data/', import.meta.url);
const VOCABULARY = new URL('tokenizers/bert-base-uncased-vocab.txt', SHARED);
const SENTENCES = new URL('sst/binary/train.csv', SHARED);
const PAIRS = new URL('multi30k/en-de/train.csv', SHARED);
const DOCS = new URL('../docs/', import.meta.url);

/** Words of a sentence in the binary SST: its 5th, 15th, ..., 95th percentile. */
const SST_WORDS = [6, 9, 12, 15, 17, 20, 22, 25, 29, 36];

/** Words of the documentation, cut into sentences as long as those of SST. */
function ownSentences(): string[] {
  const pages = readdirSync(DOCS).filter((name) => name.endsWith('.md'));
  const words = pages.flatMap((name) => readFileSync(new URL(name, DOCS), 'utf8').split(/\s+/));
  const sentences: string[] = [];
  for (let at = 0; at < words.length; ) {
    const count = SST_WORDS[sentences.length % SST_WORDS.length]!;
    sentences.push(words.slice(at, at + count).join(' '));
    at += count;
  }
  return sentences;
}

/** Sentences of mixed lengths, in no order of length. */
export function sentences(): string[] {
  if (!existsSync(SENTENCES)) return ownSentences();
  const rows: { readonly text: string }[] = parse(readFileSync(SENTENCES), { columns: true });
  return rows.map(({ text }) => text);
}

/** Sources and targets; without the shared data each sentence goes with the next one. */
export function translations(): (readonly [source: string, target: string])[] {
  if (!existsSync(PAIRS)) {
    const all = ownSentences();
    return all.map((text, i) => [text, all[(i + 1) % all.length]!]);
  }
  const rows: { readonly source: string; readonly target: string }[] = parse(readFileSync(PAIRS), {
    columns: true,
  });
  return rows.map(({ source, target }) => [source, target]);
}

/** BERT's own vocabulary, or one that is trained on the sentences. */
export function wordPiece(): Tokenizer {
  if (existsSync(VOCABULARY)) {
    const tokenizer = fromVocabText(readFileSync(VOCABULARY, 'utf8'));
    return createTokenizer({ tokenizer });
  }
  return createTokenizer({ tokenizer: trainWordPiece(sentences(), { vocabularySize: 4000 }) });
}

/** Sentences joined to texts of at least `tokens` tokens each. */
export function longTexts(tokenizer: Tokenizer, tokens: number): string[] {
  const texts: string[] = [];
  let open: string[] = [];
  let length = 0;
  for (const sentence of sentences()) {
    open.push(sentence);
    length += tokenizer.ids(sentence, { addSpecialTokens: false }).length;
    if (length < tokens) continue;
    texts.push(open.join(' '));
    open = [];
    length = 0;
  }
  return texts;
}
