/** Tokens that come one by one as text that comes piece by piece. */
import type { GenerateOptions } from './options.js';
import type { TextGenerator } from './text-generator.js';

/** What ends a text whose last character is not whole: half of its bytes, or half of its UTF-16 units. */
const UNFINISHED = /\uFFFD+$|[\uD800-\uDBFF]$/;

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

/**
 * Text of tokens as they come. A piece is given when the next token has left it as it was, for tokens may be parts
 * of a character, and some tokenizers take out spaces before what follows. The pieces together are `decode` of all.
 */
export async function* textPieces(
  tokens: AsyncIterable<number> | Iterable<number>,
  decode: (ids: readonly number[]) => string,
): AsyncGenerator<string> {
  const ids: number[] = [];
  let [given, last] = ['', ''];
  for await (const token of tokens) {
    ids.push(token);
    const text = decode(ids);
    const sure = commonStart(last, text).replace(UNFINISHED, '');
    last = text;
    if (sure.length <= given.length) continue;
    yield sure.slice(given.length);
    given = sure;
  }
  if (last.length > given.length) yield last.slice(given.length);
}

/**
 * The text of one prompt as it is written, greedily or drawn.
 * @param prompt ids with their special tokens
 * @throws ConfigError as {@link TextGenerator.generate}, and for beams, whose text is known only at the end
 * @example
 * const decode = (ids: readonly number[]) => tokenizer.decode(ids, { skipSpecialTokens: true });
 * for await (const piece of streamText(generator, prompt, { decode })) process.stdout.write(piece);
 */
export function streamText(
  generator: Pick<TextGenerator, 'stream'>,
  prompt: readonly number[],
  options: GenerateOptions & { readonly decode: NonNullable<GenerateOptions['decode']> },
): AsyncGenerator<string> {
  return textPieces(generator.stream(prompt, options), options.decode);
}
