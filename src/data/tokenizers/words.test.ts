import { describe, expect, test } from 'vitest';
import { goldenJson } from '../../../test/support/tokenizer-configs.js';
import { createTokenizer, type Encoding, fromVocabAndMerges, trainBpe } from './index.js';

/** As Python's tokenizers gives it: ranges in code points, (0, 0) for special tokens. */
interface PythonEncoding {
  readonly ids: number[];
  readonly typeIds: number[];
  readonly offsets: [number, number][];
  readonly wordIds: (number | null)[];
  readonly sequenceIds: (number | null)[];
  readonly special: number[];
}

interface Golden {
  readonly json: Record<string, unknown>;
  readonly words: { words: string[]; maxLength: number | null; expected: PythonEncoding }[];
  readonly pairs: { text: string; pair: string; maxLength: number; expected: PythonEncoding }[];
}

const units = (text: string, codePoints: number) => [...text].slice(0, codePoints).join('').length;

function converted(
  found: PythonEncoding,
  source: (token: number) => string,
): Omit<Encoding, 'truncated'> {
  const { special, ...rest } = found;
  return {
    ...rest,
    offsets: found.offsets.map(([start, end], i) =>
      special[i] ? null : [units(source(i), start), units(source(i), end)],
    ),
  };
}

describe.each(['wordPiece', 'bpe'] as const)('as Python: %s', (name) => {
  const golden = goldenJson<Record<string, Golden>>('words.json')[name]!;
  const tokenizer = createTokenizer({ tokenizer: golden.json });

  test('words that are already split', () => {
    for (const { words, maxLength, expected } of golden.words) {
      const options = maxLength === null ? {} : { maxLength };
      const { truncated: _, ...encoding } = tokenizer.encodeWords(words, options);
      expect(encoding).toEqual(converted(expected, (i) => words[expected.wordIds[i]!]!));
    }
  });

  test('pairs that are cut to a length', () => {
    for (const { text, pair, maxLength, expected } of golden.pairs) {
      const { truncated: _, ...encoding } = tokenizer.encode(text, { pair, maxLength });
      expect(encoding).toEqual(
        converted(expected, (i) => (expected.sequenceIds[i] === 0 ? text : pair)),
      );
    }
  });
});

describe('words of a byte-level tokenizer that puts no space before a text', () => {
  const { json, words: cases } = goldenJson<Record<string, Golden>>('words.json').bpe!;
  const without = (part: unknown) => ({ ...(part as object), add_prefix_space: false });
  const bare = {
    ...json,
    pre_tokenizer: without(json.pre_tokenizer),
    post_processor: without(json.post_processor),
  };
  const tokenizer = createTokenizer({ tokenizer: bare, config: { model_max_length: 64 } });

  test('are cut as if it did, the first one too, and their ranges stay within them', () => {
    for (const { words, maxLength, expected } of cases) {
      const options = maxLength === null ? {} : { maxLength };
      const { truncated: _, ...encoding } = tokenizer.encodeWords(words, options);
      expect(encoding).toEqual(converted(expected, (i) => words[expected.wordIds[i]!]!));
    }
    const tokens = (ids: readonly number[]) => ids.map((id) => tokenizer.tokenOf(id));
    expect(tokens(tokenizer.ids('the', { addSpecialTokens: false }))).not.toContain('Ġthe');
    expect(tokens(tokenizer.encodeWords(['the', 'the']).ids)).toEqual([
      '<s>',
      'Ġthe',
      'Ġthe',
      '</s>',
    ]);
  });

  test('are so for others too, when files are saved for them', () => {
    const files = tokenizer.files({ words: true });
    const read = (name: string) => JSON.parse(files.get(name)!);
    expect(read('tokenizer_config.json').add_prefix_space).toBe(true);
    const saved = read('tokenizer.json');
    expect(saved.pre_tokenizer).toEqual(json.pre_tokenizer);
    expect(saved.post_processor).toEqual(json.post_processor);
    const again = createTokenizer({ tokenizer: saved, config: read('tokenizer_config.json') });
    for (const { words } of cases) {
      expect(again.encodeWords(words)).toEqual(tokenizer.encodeWords(words));
    }
    expect(tokenizer.files().get('tokenizer_config.json')).not.toContain('add_prefix_space');
  });

  test('of a kind that splits before it takes bytes (Qwen2, Llama 3) as well', () => {
    const { model } = trainBpe(['bob met ann in berlin'], { vocabularySize: 300 }) as {
      model: { vocab: Record<string, number>; merges: string[][] };
    };
    const merges = model.merges.map((m) => m.join(' ')).join('\n');
    const qwen = createTokenizer({
      tokenizer: fromVocabAndMerges(model.vocab, merges, {}, 'Qwen2Tokenizer'),
    });
    const words = ['bob', "ann's", 'met'];
    const { ids, offsets, wordIds } = qwen.encodeWords(words);
    expect(ids).toEqual(qwen.ids(" bob ann's met"));
    for (const [i, span] of offsets.entries()) {
      expect(words[wordIds[i]!]!.slice(...span!)).toHaveLength(span![1] - span![0]);
    }
  });
});
