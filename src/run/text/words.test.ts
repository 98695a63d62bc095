import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placedWords, wordsIn } from './words.js';

describe('words', () => {
  test.each([
    ['Ann lives in Berlin.', 'Ann|lives|in|Berlin|.'],
    ['(Bob, of the U.N.) left...', '(|Bob|,|of|the|U.N.|)|left|...'],
    ['“Ann’s” film: 3.5 stars, e.g. today!?', '“|Ann|’s|”|film|:|3.5|stars|,|e.g.|today|!|?'],
    ["Ann's rock'n'roll", "Ann|'s|rock'n'roll"],
    ['Berlin , as CoNLL has it .', 'Berlin|,|as|CoNLL|has|it|.'],
    ['. ... "', '.|...|"'],
    ['  ', ''],
  ])('of %j', (text, want) => {
    expect(
      wordsIn(text)
        .map((w) => w.text)
        .join('|'),
    ).toBe(want);
  });

  test('leave nothing out but spaces, and stand where they say', () => {
    const piece = fc.constantFrom('a', 'Ann', "'s", '.', '..', ',', '(', '”', ' ', '\n', 'ü', '🙂');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        const words = wordsIn(text);
        expect(words.map((w) => w.text).join('')).toBe(text.replaceAll(/\s/g, ''));
        for (const w of words) expect(text.slice(w.start, w.end)).toBe(w.text);
        expect(words.every((w) => w.text !== '')).toBe(true);
      }),
    );
  });

  test('that were given stand in the text that they make', () => {
    const words = ['Ann', 'met', 'Bob'];
    const text = words.join(' ');
    expect(placedWords(words).map(({ start, end }) => text.slice(start, end))).toEqual(words);
  });
});
