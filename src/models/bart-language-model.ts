/** BART's and Marian's models around their stacks: the trunk, and the head that gives words. */
import type { Tensor } from '../graph/index.js';
import { type Context, Embedding, Module, normalInit, Parameter, zerosInit } from '../nn/index.js';
import { add, reshape } from '../ops/index.js';
import type { BartConfig } from './bart-config.js';
import { BartDecoder, BartEncoder, type Positions } from './bart-stack.js';
import { EncoderDecoder, sourceBias, wordLogits } from './encoder-decoder.js';
import type { BatchTensors } from './network.js';
import { startText } from './start.js';
import { askedRows, batchTensor, TEXT_INPUTS } from './text-model.js';

/** Makes the positions of one stack. */
export type MakePositions = (config: BartConfig) => Positions;

/** What checkpoints keep under `model`. */
export class BartTrunk extends Module {
  /** One table for both stacks; absent where each has its own. */
  readonly shared: Embedding | null;
  readonly encoder: BartEncoder;
  readonly decoder: BartDecoder;

  constructor(config: BartConfig, positions: MakePositions) {
    super();
    const { vocabularySize, decoderVocabularySize, hiddenSize, sharedEmbeddings } = config;
    const words = (count: number) => new Embedding(count, hiddenSize);
    this.shared = sharedEmbeddings ? words(vocabularySize) : null;
    this.encoder = new BartEncoder(config, this.shared ?? words(vocabularySize), positions(config));
    this.decoder = new BartDecoder(
      config,
      this.shared ?? words(decoderVocabularySize),
      positions(config),
    );
    startText(this, config.initializerRange);
  }

  override forward(ids: Tensor, context: Context): Tensor {
    return this.encoder.encode(ids, null, context);
  }

  groups(): string[] {
    const paths = [...this.parameters().keys()];
    // Marian's stacks have nothing but their layers where the table is shared.
    const hasOwn = (name: string) =>
      paths.some((path) => path.startsWith(`${name}.`) && !path.startsWith(`${name}.layers.`));
    const stack = (name: 'encoder' | 'decoder') => [
      ...(hasOwn(name) ? [`model.${name}`] : []),
      ...this[name].layers.map((_, i) => `model.${name}.layers.${i}`),
    ];
    return [...(this.shared ? ['model.shared'] : []), ...stack('encoder'), ...stack('decoder')];
  }
}

/** A model that keeps its stacks under `model`. */
export abstract class WithBart extends EncoderDecoder {
  readonly model: BartTrunk;

  constructor(config: BartConfig, positions: MakePositions) {
    super();
    this.model = new BartTrunk(config, positions);
  }

  override encode(batch: BatchTensors, context: Context): Tensor {
    const ids = batchTensor(batch, TEXT_INPUTS.ids);
    return this.model.encoder.encode(ids, batch[TEXT_INPUTS.mask] ?? null, context);
  }

  override decode(encoded: Tensor, ids: Tensor, batch: BatchTensors, context: Context): Tensor {
    const stepping = context.cache?.stepping ?? false;
    // A token that comes alone does not know where it stands, nor what came before it.
    const given = (name: string) => (stepping ? batchTensor(batch, name) : (batch[name] ?? null));
    const sources = {
      encoded,
      crossBias: sourceBias(batch),
      mask: given(TEXT_INPUTS.decoderMask),
      positions: given(TEXT_INPUTS.decoderPositions),
    };
    return this.model.decoder.decode(ids, sources, context);
  }

  override layerGroups(): string[] {
    return this.model.groups();
  }
}

class WordTable extends Module {
  readonly weight: Parameter;

  constructor({ decoderVocabularySize, hiddenSize, initializerRange }: BartConfig) {
    super();
    const shape = [decoderVocabularySize, hiddenSize];
    this.weight = new Parameter(shape, normalInit(initializerRange));
  }

  override forward(x: Tensor): Tensor {
    return wordLogits(x, this.weight);
  }
}

/** Words of the target. */
export class BartLanguageModel extends WithBart {
  /** [1, vocabulary]: zeros in all published checkpoints, and never trained. */
  readonly final_logits_bias: Parameter;
  readonly lm_head: WordTable | null;

  constructor(config: BartConfig, positions: MakePositions) {
    super(config, positions);
    this.final_logits_bias = new Parameter([1, config.decoderVocabularySize], zerosInit(), {
      kind: 'buffer',
    });
    this.final_logits_bias.updated = false;
    this.lm_head = config.tiedEmbeddings ? null : new WordTable(config);
  }

  override throughHead(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    const hidden = askedRows(this.decoded(encoded, batch, context), batch);
    const table = this.model.decoder.embed_tokens.weight;
    const logits = this.lm_head ? this.lm_head.forward(hidden) : wordLogits(hidden, table);
    const { tensor } = this.final_logits_bias;
    return add(logits, reshape(tensor, [tensor.size]));
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), ...(this.lm_head ? ['lm_head'] : []), 'final_logits_bias'];
  }
}

/** Paths of parameters by role. */
export const BART_ROLES = {
  norm: /layer_?norm(?:_embedding)?\./,
  stem: /(?:shared|embed_tokens|embed_positions)\./,
  'attention.query': /_attn\.q_proj\./,
  'attention.key': /_attn\.k_proj\./,
  'attention.value': /_attn\.v_proj\./,
  'attention.output': /_attn\.out_proj\./,
  mlp: /\.layers\.\d+\.fc[12]\./,
} as const;

/** Parameters with one row (the bias: one column) a token. */
export const BART_VOCABULARY =
  /^model\.(?:shared|encoder\.embed_tokens|decoder\.embed_tokens)\.weight$|^lm_head\.weight$|^final_logits_bias$/;

/** Names of the copies that checkpoints may hold of the table that both stacks share. */
export const SHARED_TABLE = [
  [/^((?:model\.)?)(?:encoder|decoder)\.embed_tokens\./, '$1shared.'],
] as const;
