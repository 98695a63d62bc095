/** What generation needs of a model, and how its batches are laid out. */
import { ConfigError } from '../errors.js';
import type { LoadedTextModel, TextConfig } from '../models/index.js';

/** A text model that gives words: a decoder or an encoder-decoder with its language model's head. */
export type GenerativeModel = Pick<
  LoadedTextModel,
  'definition' | 'config' | 'headName' | 'model' | 'weights'
> &
  // What its files say of how it writes.
  Partial<Pick<LoadedTextModel, 'raw' | 'generation'>>;

/** Whether prompts are read by an encoder. */
export function hasEncoder({ definition }: GenerativeModel): boolean {
  return definition.kind === 'encoder-decoder';
}

/**
 * Refuses models that give no next words.
 * @throws ConfigError naming the head that is there
 */
export function requireGenerative({ definition, headName }: GenerativeModel): void {
  const want = definition.kind === 'encoder-decoder' ? 'seq2seq-lm' : 'causal-lm';
  if (definition.kind === 'encoder' || headName !== want) {
    throw new ConfigError(
      `A ${definition.modelType} with the head ${headName} writes no text: load a decoder with causal-lm, or an encoder-decoder with seq2seq-lm.`,
      { modelType: definition.modelType, head: headName },
      'no-head',
    );
  }
}

/** The first token of a decoder's texts. @throws ConfigError when the configuration names none */
export function decoderStart(config: TextConfig): number {
  const start = config.decoderStartToken ?? config.bosToken;
  if (start !== null) return start;
  throw new ConfigError(
    'generate: config.json names no decoder_start_token_id, with which every text begins.',
  );
}

/** What stands where no token is: any id will do, for nobody sees it. */
export function fillToken(config: TextConfig): number {
  return config.padToken ?? config.eosTokens[0] ?? 0;
}

/** Words that a model may write: a decoder's table may be another than its encoder's. */
export function writtenVocabulary(config: TextConfig): number {
  const { decoderVocabularySize } = config as { readonly decoderVocabularySize?: number };
  return decoderVocabularySize ?? config.vocabularySize;
}
