/** What every text model offers, whatever its architecture and head. */
import { ConfigError } from '../errors.js';
import type { Tensor } from '../graph/index.js';
import type { Context } from '../nn/index.js';
import { gather, reshape } from '../ops/index.js';
import { type BatchTensors, Network } from './network.js';

/**
 * Names of a batch's tensors, as in Hugging Face's exported models; ids are int32 [batch, tokens], masks are
 * 1 for a token and 0 for padding.
 */
export const TEXT_INPUTS = {
  ids: 'input_ids',
  mask: 'attention_mask',
  /** 0 for the first text of a pair, 1 for the second. */
  types: 'token_type_ids',
  /** Position of each token; counted from the left by default. */
  positions: 'position_ids',
  /** What the decoder of an encoder-decoder reads. */
  decoderIds: 'decoder_input_ids',
  decoderMask: 'decoder_attention_mask',
  /** Position of each token of the decoder; counted from the left by default. */
  decoderPositions: 'decoder_position_ids',
  /** What the encoder of an encoder-decoder has given, [batch, tokens, width]: used in its place. */
  encoded: 'encoder_hidden_states',
  /** int32 [count]: places in [batch * tokens] whose words a language model is asked for; all by default. */
  asked: 'asked_positions',
} as const;

/** Heads that a text model may have. */
export const TEXT_HEADS = [
  'base',
  'sequence-classification',
  'token-classification',
  'question-answering',
  'masked-lm',
  'causal-lm',
  'seq2seq-lm',
] as const;

/** What a text model answers with; transformers has one class for each. */
export type TextHead = (typeof TEXT_HEADS)[number];

/**
 * A text model. Its outputs by head, with tokens padded on the right:
 *
 *     base                     hidden states [batch, tokens, width]
 *     sequence-classification  logits [batch, labels]
 *     token-classification     logits [batch, tokens, labels]
 *     question-answering       logits of start and end [batch, tokens, 2]
 *     masked-lm, causal-lm     logits [batch, tokens, vocabulary], or [asked, vocabulary]
 *     seq2seq-lm               the same for the decoder's tokens
 */
export abstract class TextModel extends Network {
  override forward(ids: Tensor, context: Context): Tensor {
    return this.through({ [TEXT_INPUTS.ids]: ids }, context);
  }
}

/**
 * Rows of [batch, tokens, width] that a language model is asked about, [asked, width]; all of them as they
 * are when the batch does not say. Words are many, so logits are made only where they are read.
 */
export function askedRows(hidden: Tensor, batch: BatchTensors): Tensor {
  const asked = batch[TEXT_INPUTS.asked];
  if (!asked) return hidden;
  const [rows, tokens, width] = hidden.shape as [number, number, number];
  return gather(reshape(hidden, [rows * tokens, width]), asked);
}

/**
 * A tensor of a batch.
 * @throws ConfigError naming it when the batch lacks it
 */
export function batchTensor(batch: BatchTensors, name: string): Tensor {
  const found = batch[name];
  if (found) return found;
  throw new ConfigError(
    `The batch has no '${name}'; it has ${Object.keys(batch).join(', ') || 'nothing'}.`,
    { name, given: Object.keys(batch) },
  );
}
