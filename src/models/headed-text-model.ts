/** A text model put together of a trunk and a head, under the names that Hugging Face's classes give them. */
import type { Tensor } from '../graph/index.js';
import { type Context, Dropout, Linear, Module, normalInit, Parameter } from '../nn/index.js';
import { matmul, transpose } from '../ops/index.js';
import type { BatchTensors } from './network.js';
import { startText } from './start.js';
import { askedRows, TEXT_INPUTS, TextModel } from './text-model.js';

/** From ids to hidden states [batch, tokens, width]. */
export abstract class TextTrunk extends Module {
  abstract encode(batch: BatchTensors, context: Context): Tensor;

  /** Layer groups of a model that keeps this trunk under `prefix`. */
  abstract groups(prefix: string): string[];

  override forward(ids: Tensor, context: Context): Tensor {
    return this.encode({ [TEXT_INPUTS.ids]: ids }, context);
  }
}

/** From hidden states to the answer. Its modules stand beside the trunk, under their own names. */
export abstract class TextHeadPart extends Module {
  /** What of the hidden states the head reads; with a frozen trunk this is kept. All of it by default. */
  features(hidden: Tensor, _batch: BatchTensors): Tensor {
    return hidden;
  }

  abstract answer(features: Tensor, batch: BatchTensors, context: Context): Tensor;

  override forward(hidden: Tensor, context: Context): Tensor {
    return this.answer(hidden, {}, context);
  }
}

class HeadedTextModel extends TextModel {
  private readonly prefix: string;
  private readonly trunk: TextTrunk;
  private readonly head: TextHeadPart | null;

  constructor(prefix: string, trunk: TextTrunk, head: TextHeadPart | null) {
    super();
    this.prefix = prefix;
    this.trunk = trunk;
    this.head = head;
  }

  override children(): Map<string, Module> {
    return new Map<string, Module>([[this.prefix, this.trunk], ...(this.head?.children() ?? [])]);
  }

  override throughTrunk(batch: BatchTensors, context: Context): Tensor {
    const hidden = this.trunk.encode(batch, context);
    return this.head ? this.head.features(hidden, batch) : hidden;
  }

  override throughHead(features: Tensor, batch: BatchTensors, context: Context): Tensor {
    return this.head ? this.head.answer(features, batch, context) : features;
  }

  override layerGroups(): string[] {
    const own = [...(this.head?.children() ?? [])].filter(([, m]) => m.parameters().size > 0);
    return [...this.trunk.groups(this.prefix), ...own.map(([name]) => name)];
  }
}

/**
 * A model of these parts.
 * @param prefix field of the trunk in transformers' class: `base_model_prefix`
 * @param head null for a model that gives the hidden states themselves
 */
export function headedTextModel(
  prefix: string,
  trunk: TextTrunk,
  head: TextHeadPart | null = null,
): TextModel {
  return new HeadedTextModel(prefix, trunk, head);
}

/** How a {@link LinearHead} is made. */
export interface LinearHeadOptions {
  readonly width: number;
  readonly outputs: number;
  readonly bias?: boolean;
  /** Rate of dropout before the layer. */
  readonly dropout?: number;
  /** What it reads, e.g. one token of each text; all tokens by default. */
  readonly features?: (hidden: Tensor, batch: BatchTensors) => Tensor;
  /** Deviation of the starting values. */
  readonly deviation: number;
}

/** Dropout and one linear layer. */
export class LinearHead extends TextHeadPart {
  private readonly field: string;
  private readonly layer: Linear;
  private readonly dropout: Dropout;
  private readonly pick: LinearHeadOptions['features'];

  /** @param field the layer's name in transformers' class */
  constructor(
    field: string,
    { width, outputs, bias = true, dropout = 0, features, deviation }: LinearHeadOptions,
  ) {
    super();
    this.field = field;
    this.layer = new Linear(width, outputs, { bias });
    this.dropout = new Dropout(dropout);
    this.pick = features;
    startText(this.layer, deviation);
  }

  override children(): Map<string, Module> {
    return new Map([[this.field, this.layer]]);
  }

  override features(hidden: Tensor, batch: BatchTensors): Tensor {
    return this.pick ? this.pick(hidden, batch) : hidden;
  }

  override answer(features: Tensor, _batch: BatchTensors, context: Context): Tensor {
    return this.layer.forward(this.dropout.forward(features, context));
  }
}

/** Start and end of an answer: two numbers a token. */
export function questionAnsweringHead(
  options: Omit<LinearHeadOptions, 'outputs' | 'features'>,
): LinearHead {
  return new LinearHead('qa_outputs', { ...options, outputs: 2 });
}

/** Logits of words over the rows of a table: x [..., width] to [..., vocabulary]. */
export class WordLogits extends Module {
  readonly weight: Parameter;

  /** @param weight [vocabulary, width]; the table of the embeddings where the two are tied */
  constructor(weight: Parameter) {
    super();
    this.weight = weight;
  }

  override forward(x: Tensor): Tensor {
    return matmul(x, transpose(this.weight.tensor));
  }
}

class CausalLanguageHead extends TextHeadPart {
  private readonly logits: WordLogits;
  private readonly tied: boolean;

  constructor(weight: Parameter, tied: boolean) {
    super();
    this.logits = new WordLogits(weight);
    this.tied = tied;
  }

  override children(): Map<string, Module> {
    return new Map(this.tied ? [] : [['lm_head', this.logits]]);
  }

  override answer(hidden: Tensor, batch: BatchTensors): Tensor {
    return this.logits.forward(askedRows(hidden, batch));
  }
}

/**
 * The next word, over the table of the embeddings or over one of the head's own, `lm_head`.
 * @param words the embeddings' table, [vocabulary, width]
 * @param deviation of the starting values of a table of its own
 */
export function causalLanguageHead(
  words: Parameter,
  { tied, deviation }: { readonly tied: boolean; readonly deviation: number },
): TextHeadPart {
  const own = () => new Parameter(words.tensor.shape, normalInit(deviation));
  return new CausalLanguageHead(tied ? words : own(), tied);
}
