/** Which tokens are padding, mask and so on: from a tokenizer's files, or by their usual names. */
import type { JsonObject } from './fields.js';
import type { SpecialTokens } from './tokenizer.js';

/** Purposes and the usual names, those of BERT, RoBERTa, SentencePiece and GPT-2. */
const PURPOSES: Readonly<Record<keyof SpecialTokens, readonly string[]>> = {
  pad: ['[PAD]', '<pad>', '<|padding|>'],
  unk: ['[UNK]', '<unk>'],
  cls: ['[CLS]'],
  sep: ['[SEP]'],
  mask: ['[MASK]', '<mask>'],
  bos: ['<s>', '<|begin_of_text|>', '<|startoftext|>'],
  eos: ['</s>', '<|endoftext|>', '<|end_of_text|>', '<|im_end|>'],
};

const tokenText = (value: unknown): string | null => {
  if (typeof value === 'string') return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === 'string' ? content : null;
};

/**
 * Ids by purpose. What `configs` say (tokenizer_config.json first, then special_tokens_map.json)
 * counts; only when they name no token at all, the usual names are looked for.
 */
export function specialTokens(
  configs: readonly JsonObject[],
  idOf: (token: string) => number | undefined,
): SpecialTokens {
  const purposes = Object.keys(PURPOSES) as (keyof SpecialTokens)[];
  const told = (purpose: string): string | null =>
    configs.map((c) => tokenText(c[`${purpose}_token`])).find((t) => t !== null) ?? null;
  const anyTold = purposes.some((p) => told(p) !== null);
  const found: { -readonly [K in keyof SpecialTokens]: SpecialTokens[K] } = {};
  for (const purpose of purposes) {
    const name = told(purpose);
    const names = anyTold ? (name === null ? [] : [name]) : PURPOSES[purpose];
    const id = names.map(idOf).find((known) => known !== undefined);
    if (id !== undefined) found[purpose] = id;
  }
  return found;
}

/** `{ pad_token: "[PAD]", ... }` as Hugging Face's files name them. */
export function specialTokensMap(
  special: SpecialTokens,
  tokenOf: (id: number) => string | undefined,
): Record<string, string> {
  const map: Record<string, string> = {};
  for (const [purpose, id] of Object.entries(special)) {
    const token = tokenOf(id as number);
    if (token !== undefined) map[`${purpose}_token`] = token;
  }
  return map;
}
