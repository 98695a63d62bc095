/** Marian's tokenizer in small: two SentencePiece models over one vocabulary, with the ids that OPUS-MT has. */
import { loadTokenizer, type Tokenizer } from '../../src/data/index.js';
import { sentencePieceFile } from './sentencepiece-file.js';

/** The words of a text, each after the mark of its space. */
const wordsOf = (texts: readonly string[]) => [
  ...new Set(texts.flatMap((text) => text.split(/\s+/).map((word) => `▁${word}`))),
];

/** Pieces that are dear enough to be used only where nothing else fits: every character of the words. */
const characters = (words: readonly string[]) =>
  [...new Set(words.flatMap((word) => [...word]))].map((char) => [char, -9] as const);

/**
 * `</s>` is 0, `<unk>` 1, `<pad>` the last. The source knows the words of `texts`, the target their halves, so that
 * what was cut by the wrong one is seen.
 */
export async function tinyMarianTokenizer(texts: readonly string[]): Promise<Tokenizer> {
  const words = wordsOf(texts);
  const halves = new Set(
    words.flatMap((word) => {
      const cut = Math.ceil(word.length / 2);
      return [word.slice(0, cut), word.slice(cut)].filter((half) => half.length > 1);
    }),
  );
  const source = [...words.map((word) => [word, -2] as const), ...characters(words)];
  const target = [...[...halves].map((half) => [half, -3] as const), ...characters(words)];
  const pieces = new Set([...source, ...target].map(([piece]) => piece));
  const tokens = ['</s>', '<unk>', ...pieces, '<pad>'];
  const binary: Record<string, Uint8Array> = {
    'source.spm': sentencePieceFile(source),
    'target.spm': sentencePieceFile(target),
  };
  const vocabulary = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return loadTokenizer({
    bytes: async (file) => binary[file] ?? null,
    text: async () => null,
    json: async (file) => (file === 'vocab.json' ? vocabulary : null),
  });
}
