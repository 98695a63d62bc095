/** Which graphs a text model is exported as, under the names of Hugging Face's exports. */
import { constantOf, filled, input, type Shape, type Tensor } from '../graph/index.js';
import { type BatchTensors, type LoadedTextModel, TEXT_INPUTS } from '../models/index.js';
import { Context } from '../nn/index.js';
import type { Sizes } from '../onnx/index.js';
import { add, cast, mul, reshape, slice } from '../ops/index.js';
import { PresentKeys } from './present-keys.js';
import type { FreeAxis } from './tracing-sizes.js';

/** Names of the free axes in a file. */
export const TEXT_AXES = {
  batch: 'batch_size',
  tokens: 'sequence_length',
  /** Tokens that the encoder of an encoder-decoder reads. */
  source: 'encoder_sequence_length',
  /** Tokens whose keys and values are known. */
  past: 'past_sequence_length',
  /** Those and the new ones. */
  total: 'total_sequence_length',
} as const;

/** A graph of a model. */
export interface TextGraph {
  readonly axes: readonly FreeAxis[];
  /** Results by name. */
  trace(sizes: Sizes): Readonly<Record<string, Tensor>>;
}

/** A file of a model. */
export interface TextGraphFile {
  /** Without its folder. */
  readonly file: string;
  readonly graph: TextGraph;
  /** For decoders: the graph of one more token, when the keys and values of those before it are given. */
  readonly step?: TextGraph;
}

type Model = Pick<LoadedTextModel, 'definition' | 'config' | 'headName' | 'model'>;

const evaluation = (cache: PresentKeys | null = null) => new Context({ training: false, cache });
const ids = (name: string, shape: Shape) => input(name, 'int64', shape);

/** Results of a head under their names. */
function named(headName: Model['headName'], y: Tensor): Record<string, Tensor> {
  if (headName === 'base') return { last_hidden_state: y };
  if (headName !== 'question-answering') return { logits: y };
  const [batch, tokens] = y.shape as [number, number, number];
  const side = (i: number) =>
    reshape(slice(y, { starts: [i], ends: [i + 1], axes: [2] }), [batch, tokens]);
  return { start_logits: side(0), end_logits: side(1) };
}

function axesOf({ config }: Model) {
  const most = config.maxTokens;
  return {
    batch: { name: TEXT_AXES.batch, most: null, batch: true } as FreeAxis,
    tokens: { name: TEXT_AXES.tokens, most } as FreeAxis,
    source: { name: TEXT_AXES.source, most } as FreeAxis,
    // One more token must have a position.
    past: { name: TEXT_AXES.past, most: most === null ? null : most - 1 } as FreeAxis,
  };
}

/** Encoders, decoders with a head of classes, and what classifies with both. */
function whole(loaded: Model): TextGraph {
  const { definition, headName, model } = loaded;
  const { batch, tokens } = axesOf(loaded);
  const names = [TEXT_INPUTS.ids, TEXT_INPUTS.mask, TEXT_INPUTS.types] as readonly string[];
  const read = definition.inputs.filter((name) => names.includes(name));
  return {
    axes: [batch, tokens],
    trace: (sizes) => {
      const shape = [sizes[batch.name]!, sizes[tokens.name]!];
      const given = Object.fromEntries(read.map((name) => [name, ids(name, shape)]));
      return named(headName, model.through(given, evaluation()));
    },
  };
}

/** What precedes is given by its keys and values; without `past` there is none. */
function decoder(loaded: Model, stepping: boolean): TextGraph {
  const { batch, tokens, past } = axesOf(loaded);
  return {
    axes: [batch, stepping ? past : tokens],
    trace: (sizes) => {
      const rows = sizes[batch.name]!;
      const before = stepping ? sizes[past.name]! : null;
      const fresh = stepping ? 1 : sizes[tokens.name]!;
      const positions = ids(TEXT_INPUTS.positions, [rows, fresh]);
      const given: BatchTensors = {
        [TEXT_INPUTS.ids]: ids(TEXT_INPUTS.ids, [rows, fresh]),
        [TEXT_INPUTS.mask]: ids(TEXT_INPUTS.mask, [rows, (before ?? 0) + fresh]),
        [TEXT_INPUTS.positions]: positions,
      };
      const cache = new PresentKeys({ past: before, crossed: false }, stepping ? positions : null);
      const logits = loaded.model.through(given, evaluation(cache));
      return { logits, ...cache.present };
    },
  };
}

/** The encoder of an encoder-decoder. */
function encoder(loaded: Model): TextGraph {
  const { batch, source } = axesOf(loaded);
  return {
    axes: [batch, source],
    trace: (sizes) => {
      const shape = [sizes[batch.name]!, sizes[source.name]!];
      const names = [TEXT_INPUTS.ids, TEXT_INPUTS.mask];
      const given = Object.fromEntries(names.map((name) => [name, ids(name, shape)]));
      return { last_hidden_state: loaded.model.throughTrunk(given, evaluation()) };
    },
  };
}

/**
 * Where the one new token of each row stands, int32 [batch, 1]: a number, but such that what is looked up there
 * is not worked out while the graph is traced.
 */
function placeOf(words: Tensor, place: number): Tensor {
  return add(mul(cast(words, 'int32'), 0), constantOf(filled('int32', [1, 1], place)));
}

/** The decoder of an encoder-decoder. */
function crossDecoder(loaded: Model, stepping: boolean): TextGraph {
  const { config, headName, model } = loaded;
  const { batch, source, tokens, past } = axesOf(loaded);
  return {
    axes: [batch, source, stepping ? past : tokens],
    trace: (sizes) => {
      const rows = sizes[batch.name]!;
      const sources = sizes[source.name]!;
      const before = stepping ? sizes[past.name]! : null;
      const fresh = stepping ? 1 : sizes[tokens.name]!;
      const shape = [rows, sources, config.hiddenSize];
      const encoded = input(TEXT_INPUTS.encoded, 'float32', shape);
      const words = ids(TEXT_INPUTS.ids, [rows, fresh]);
      const position = before === null ? null : placeOf(words, before);
      const given: BatchTensors = {
        [TEXT_INPUTS.decoderIds]: words,
        [TEXT_INPUTS.mask]: ids('encoder_attention_mask', [rows, sources]),
        // One token that sees all earlier ones: nothing is hidden from it.
        ...(position && {
          [TEXT_INPUTS.decoderPositions]: position,
          [TEXT_INPUTS.decoderMask]: constantOf(filled('int32', [1, before! + 1], 1)),
        }),
      };
      const cache = new PresentKeys({ past: before, crossed: true }, position);
      const y = model.throughHead(encoded, given, evaluation(cache));
      return { ...named(headName, y), ...cache.present };
    },
  };
}

/**
 * The files of a model. Decoders that give words read and write keys and values; those of encoder-decoders
 * are two files, an encoder's and a decoder's, where the decoder is given words to go on from.
 */
export function textGraphs(loaded: Model): readonly TextGraphFile[] {
  const { definition, headName } = loaded;
  if (headName === 'causal-lm') {
    return [{ file: 'model.onnx', graph: decoder(loaded, false), step: decoder(loaded, true) }];
  }
  const paired = headName === 'base' || headName === 'seq2seq-lm';
  if (definition.kind !== 'encoder-decoder' || !paired) {
    return [{ file: 'model.onnx', graph: whole(loaded) }];
  }
  return [
    { file: 'encoder_model.onnx', graph: encoder(loaded) },
    {
      file: 'decoder_model_merged.onnx',
      graph: crossDecoder(loaded, false),
      step: crossDecoder(loaded, true),
    },
  ];
}
