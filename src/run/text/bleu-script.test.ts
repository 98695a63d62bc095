/** What translations are written in decides what BLEU takes for words. */
import { expect, test } from 'vitest';
import { bleuScript } from './bleu-script.js';
import { writtenScores } from './written.js';

test.each([
  ['a film in 東京', '13a', null],
  ['привет, мир', '13a', null],
  ['안녕 세상', '13a', null],
  ['我喜欢这部电影 (2019).', 'zh', /Chinese/],
  ['この映画が好きです。', '13a', /read chrF/],
  ['東京の映画館カメラ', '13a', /read chrF/],
  ['ฉันชอบหนังเรื่องนี้', '13a', /read chrF/],
  ['12 ? !', '13a', null],
])('%s', (text, tokenizer, note) => {
  const found = bleuScript([[text]]);
  expect(found.tokenizer).toBe(tokenizer);
  if (note) expect(found.note).toMatch(note);
  else expect(found.note).toBeNull();
});

test('a Chinese translation with one other word scores by its words', () => {
  const scores = writtenScores('translation', ['我很喜欢这部电影'], [['我不喜欢这部电影']]);
  expect(scores.bleu).toBeGreaterThan(40);
});
