/** Feature extraction: the trunk stays as it is, a new head learns from what it computes. */
import { ConfigError } from '../../errors.js';
import { defineMethod, type Phase } from '../define-method.js';

/**
 * Peak learning rate of a fresh linear head on frozen features, with AdamW. Of 1e-4 to 1e-2, on
 * features of the embedded base, it was the best or within a point of it on every set (accuracy in %, mean of
 * three seeds): 245 photographs of ants and bees at 224, two passes 92.6 at 1e-3, 94.3 at 3e-3,
 * 94.3 at 5e-3; amazon at 96, one pass 88.9, 90.3, 89.1; and few steps need it: 96 pictures of
 * amazon, two passes 60.2, 76.9, 78.0. At 1e-2 the log loss doubles.
 */
export const HEAD_RATE = 3e-3;

/** The phase in which only the head moves. */
export function headPhase(
  epochs: number,
  isHead: (path: string) => boolean,
  lr = HEAD_RATE,
): Phase {
  return {
    name: 'head',
    epochs,
    runs: 'head',
    trainable: isHead,
    norms: 'frozen',
    lr,
    rate: () => 1,
    warmup: 0,
    schedule: 'cosine',
  };
}

export default defineMethod({
  name: 'feature-extraction',
  kind: 'inductive',
  summary:
    'Trains a new head on the features of the frozen base, which are kept where a sample has the same in every pass.',
  source:
    'Donahue et al., "DeCAF", 2014; Kornblith et al., "Do better ImageNet models transfer better?", 2019',
  streams: [{ name: 'train', labelled: true }],
  usesBase: true,
  plan: ({ model, epochs, hasRole, lr }) => {
    const isHead = (path: string) => hasRole(path, 'head');
    if (![...model.parameters().keys()].some(isHead)) {
      throw new ConfigError(
        'feature-extraction trains the head alone, and this model has no parameters of its own there: it is a decoder, an encoder-decoder or a model of embeddings. Choose another method, such as fine-tune.',
      );
    }
    return [headPhase(epochs, isHead, lr)];
  },
});
