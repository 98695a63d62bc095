/** Hugging Face's native tokenizers as a referee, and the texts of shared/data. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import {
  type Encoding,
  fromSentencePiece,
  fromVocabAndMerges,
  fromVocabText,
  readSentencePiece,
  type Span,
  trainUnigram,
} from '../../src/data/tokenizers/index.js';
import { puttingSpaces } from '../../src/data/tokenizers/word-spaces.js';

interface NativeEncoding {
  getIds(): number[];
  getTypeIds(): number[];
  getOffsets(): [number, number][];
  getWordIds(): (number | null | undefined)[];
  getSequenceIds(): (number | null | undefined)[];
  getSpecialTokensMask(): number[];
}

interface NativeTokenizer {
  encode(
    text: string,
    pair?: string | null,
    options?: { addSpecialTokens?: boolean },
  ): Promise<NativeEncoding>;
  decode(ids: number[], skipSpecialTokens: boolean): Promise<string>;
  setTruncation(maxLength: number, options?: { strategy?: string }): void;
}

interface Native {
  readonly Tokenizer: { fromString(json: string): NativeTokenizer };
}

const require = createRequire(import.meta.url);

/** The native binding; null where it is not installed for this machine. */
export const native: Native | null = (() => {
  try {
    return require('tokenizers') as Native;
  } catch {
    return null;
  }
})();

/** Folder of the real data; null where it is absent. */
export const sharedData: string | null = (() => {
  const folder = resolve(import.meta.dirname, '../../../shared/data');
  return existsSync(folder) ? folder : null;
})();

/** UTF-16 index of each code point of a text, and its length. */
function unitIndex(text: string): number[] {
  const index: number[] = [];
  let at = 0;
  for (const char of text) {
    index.push(at);
    at += char.length;
  }
  index.push(at);
  return index;
}

export interface ReferenceOptions {
  readonly pair?: string;
  readonly maxLength?: number;
  readonly truncate?: 'longest-first' | 'first' | 'second';
  readonly addSpecialTokens?: boolean;
}

/** A reference tokenizer that answers as ours does. */
export interface Reference {
  encode(text: string, options?: ReferenceOptions): Promise<Omit<Encoding, 'truncated'>>;
  /** Without special tokens. */
  encodeWords(words: readonly string[]): Promise<Omit<Encoding, 'truncated'>>;
  decode(ids: readonly number[], skipSpecialTokens?: boolean): Promise<string>;
}

/** The native tokenizer of a tokenizer.json. */
export function reference(tokenizerJson: object): Reference {
  const json = JSON.stringify(tokenizerJson);
  const made = native!.Tokenizer.fromString(json);
  const ofWords = native!.Tokenizer.fromString(JSON.stringify(puttingSpaces({ ...tokenizerJson })));
  const convert = (
    found: NativeEncoding,
    texts: (sequence: number) => readonly number[],
  ): Omit<Encoding, 'truncated'> => {
    const sequences = found.getSequenceIds();
    const words = found.getWordIds();
    const special = found.getSpecialTokensMask();
    return {
      ids: found.getIds(),
      typeIds: found.getTypeIds(),
      offsets: found.getOffsets().map(([start, end], i): Span | null => {
        if (special[i]) return null;
        const index = texts(sequences[i] ?? 0);
        return [index[start]!, index[end]!];
      }),
      wordIds: words.map((w) => w ?? null),
      sequenceIds: sequences.map((s) => s ?? null),
    };
  };
  const limited = ({ maxLength, truncate = 'longest-first' }: ReferenceOptions) => {
    if (maxLength === undefined) return made;
    const fresh = native!.Tokenizer.fromString(json);
    const strategy = { 'longest-first': 'LongestFirst', first: 'OnlyFirst', second: 'OnlySecond' };
    fresh.setTruncation(maxLength, { strategy: strategy[truncate] });
    return fresh;
  };
  return {
    async encode(text, options = {}) {
      const { pair, addSpecialTokens = true } = options;
      const found = await limited(options).encode(text, pair ?? null, { addSpecialTokens });
      const indices = [unitIndex(text), unitIndex(pair ?? '')];
      return convert(found, (sequence) => indices[sequence]!);
    },
    // The binding takes no words: each is a text of its own, as in the Rust library.
    async encodeWords(words) {
      const parts = await Promise.all(
        words.map((word) => ofWords.encode(word, null, { addSpecialTokens: false })),
      );
      const found = parts.map((part, i) => {
        const index = unitIndex(words[i]!);
        return { ...convert(part, () => index), word: i };
      });
      const all = <K extends 'ids' | 'typeIds' | 'offsets' | 'sequenceIds'>(key: K) =>
        found.flatMap((part) => [...part[key]]) as Encoding[K][number][];
      return {
        ids: all('ids'),
        typeIds: all('typeIds'),
        offsets: all('offsets'),
        wordIds: found.flatMap((part) => part.ids.map(() => part.word)),
        sequenceIds: found.flatMap((part) => part.ids.map(() => 0)),
      };
    },
    decode: (ids, skipSpecialTokens = false) => made.decode([...ids], skipSpecialTokens),
  };
}

/** A text, or words that are already split. */
export type CorpusItem = string | readonly string[];

function csvColumns(file: string, columns: readonly string[]): string[] {
  const rows = parse(readFileSync(file), {
    columns: true,
    relax_quotes: true,
    bom: true,
  }) as Record<string, string>[];
  return rows.flatMap((row) => columns.map((c) => row[c] ?? '').filter((t) => t !== ''));
}

function jsonTexts(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const row = JSON.parse(line) as Record<string, unknown>;
      return [row.source, row.target].flat().filter((t): t is string => typeof t === 'string');
    });
}

function conllSentences(file: string): string[][] {
  return readFileSync(file, 'utf8')
    .split(/\n\s*\n/)
    .map((block) =>
      block
        .split('\n')
        .map((line) => line.trim().split(/\s+/)[0]!)
        .filter((word) => word !== '' && word !== '-DOCSTART-'),
    )
    .filter((words) => words.length > 0);
}

function xquadTexts(file: string): string[] {
  interface Squad {
    data: { paragraphs: { context: string; qas: { question: string }[] }[] }[];
  }
  const { data } = JSON.parse(readFileSync(file, 'utf8')) as Squad;
  return data.flatMap((d) =>
    d.paragraphs.flatMap((p) => [p.context, ...p.qas.map((q) => q.question)]),
  );
}

const PARTS = ['train', 'valid', 'test'];

/** Names and texts of the corpora of shared/data, read when asked. */
export function corpora(folder: string): { name: string; read(): CorpusItem[] }[] {
  const files = (
    name: string,
    base: string,
    extension: string,
    read: (file: string) => CorpusItem[],
  ) => ({
    name,
    read: () =>
      PARTS.map((part) => join(folder, base, `${part}.${extension}`))
        .filter((file) => existsSync(file))
        .flatMap(read),
  });
  const csv = (name: string, columns = ['text']) =>
    files(name, name, 'csv', (file) => csvColumns(file, columns));
  return [
    csv('mr'),
    csv('sst/fine'),
    csv('trec/fine'),
    csv('ag_news'),
    csv('sms_spam'),
    files('conll2003', 'conll2003', 'conll', conllSentences),
    csv('multi30k/en-de', ['source', 'target']),
    csv('multi30k/en-fr', ['target']),
    files('scitldr', 'scitldr', 'jsonl', jsonTexts),
    ...['en', 'de', 'es'].map((language) => ({
      name: `xquad.${language}`,
      read: () => xquadTexts(join(folder, 'xquad', `xquad.${language}.json`)),
    })),
  ];
}

/** Real vocabularies of shared/data, and two that are trained on its texts. */
export function realTokenizers(
  folder: string,
): { name: string; make(): Readonly<Record<string, unknown>> }[] {
  const read = (file: string) => readFileSync(join(folder, 'tokenizers', file), 'utf8');
  const texts = () =>
    corpora(folder)
      .filter(({ name }) => ['scitldr', 'multi30k/en-de', 'xquad.es'].includes(name))
      .flatMap(({ read: items }) => items())
      .filter((item, i): item is string => typeof item === 'string' && i % 20 === 0);
  return [
    { name: 'BERT', make: () => fromVocabText(read('bert-base-uncased-vocab.txt')) },
    {
      name: 'GPT-2',
      make: () => fromVocabAndMerges(JSON.parse(read('gpt2-encoder.json')), read('gpt2-vocab.bpe')),
    },
    { name: 'Unigram, trained', make: () => trainUnigram(texts(), { vocabularySize: 4000 }) },
    {
      name: 'SentencePiece BPE',
      make: () =>
        fromSentencePiece(
          readSentencePiece(
            readFileSync(resolve(import.meta.dirname, '../golden/tokenizers/bpe.model')),
            'bpe.model',
          ),
          { kind: 'llama' },
        ),
    },
  ];
}
