import { describe, expect, test } from 'vitest';
import { goldenJson } from '../../../test/support/tokenizer-configs.js';
import { createTokenizer, type Encoding } from './index.js';

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
