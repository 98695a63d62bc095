/** How a text architecture is declared: one file, one `defineTextModel`, named as Hugging Face's `model_type`. */
import type { RawConfig, Role } from './define-model.js';
import type { TextHead, TextModel } from './text-model.js';

/** What every text model's configuration holds. */
export interface TextConfig {
  /** Class names in the order of the logits, for heads that have classes. */
  readonly labels: readonly string[];
  /** Rows of the embedding table. */
  readonly vocabularySize: number;
  /** Tokens for which there are positions; null where any number may come. */
  readonly maxTokens: number | null;
  /** Channels of the hidden states. */
  readonly hiddenSize: number;
  /** Transformer blocks (of the encoder, and of the decoder where there are both). */
  readonly layers: number;
  readonly padToken: number | null;
  readonly bosToken: number | null;
  /** Ends a generated text; some models have several. */
  readonly eosTokens: readonly number[];
  /** First token of the decoder of an encoder-decoder. */
  readonly decoderStartToken: number | null;
  /** What a classifier is trained for; null where the configuration does not say. */
  readonly problem:
    | 'single_label_classification'
    | 'multi_label_classification'
    | 'regression'
    | null;
}

/** How an architecture answers with one head. */
export interface HeadDefinition<C extends TextConfig> {
  /** Hugging Face's class, written to `architectures`. */
  readonly architecture: string;
  build(config: C): TextModel;
  /**
   * Parameters whose shapes follow from the labels: new ones are drawn for new labels. Absent where the
   * head has none.
   */
  readonly outputs?: RegExp;
  /**
   * Parameters that a first phase trains alone, `outputs` among them; drawn when the checkpoint lacks them.
   * Absent where the head is the trunk's own embedding table.
   */
  readonly parameters?: RegExp;
  /** What stands before the trunk's names in this head's checkpoints, where it is not the model's `prefix`. */
  readonly savedPrefix?: string;
}

/** Everything there is to know of a text architecture. */
export interface TextModelDefinition<C extends TextConfig = TextConfig> {
  /** Hugging Face's `model_type`, which is also the file's name. */
  readonly modelType: string;
  readonly kind: 'encoder' | 'decoder' | 'encoder-decoder';
  /** What stands before the trunk's names in a checkpoint with a head: `base_model_prefix`. */
  readonly prefix: string;
  /** Names of `TEXT_INPUTS` that the trunk reads; the first two are ids and mask. */
  readonly inputs: readonly string[];
  /** Reads `config.json`. @throws ConfigError naming the field, what it holds and what it may hold */
  parse(raw: RawConfig): C;
  /**
   * Writes the fields of `config.json` that are the architecture's own; labels, `model_type` and
   * `architectures` are added by `writeTextConfig`.
   */
  write(config: C): RawConfig;
  readonly heads: Readonly<Partial<Record<TextHead, HeadDefinition<C>>>>;
  /** Older or other names of tensors, replaced in turn before names are compared. */
  readonly renames?: readonly (readonly [RegExp, string])[];
  /**
   * Parameters that checkpoints may lack, by path: a copy of another parameter then takes their place, or
   * (null) their start, which means nothing was learned there.
   */
  readonly absent?: Readonly<Record<string, string | null>>;
  /** Tensors of a checkpoint that the model has no use for: counters, copies of tied tables. */
  readonly ignored?: RegExp;
  /** Parts of the trunk that only some heads have, so that others leave them out: a pooler. */
  readonly spare?: RegExp;
  /** Parameters with one row (or element) a token of the vocabulary. */
  readonly vocabulary: RegExp;
  /** Paths of parameters by role, heads left out. */
  readonly roles: Readonly<Partial<Record<Role, RegExp>>>;
  readonly source: { readonly paper: string; readonly code: string };
}

/** Declares a text architecture. */
export function defineTextModel<C extends TextConfig>(
  definition: TextModelDefinition<C>,
): TextModelDefinition<C> {
  return definition;
}
