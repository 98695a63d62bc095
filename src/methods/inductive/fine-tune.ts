/**
 * Fine-tuning in two phases: the new head first, on kept features of the frozen trunk, then
 * everything, the slower the nearer to the input. Batch norms keep the base's statistics.
 */
import { groupIndices } from '../../models/index.js';
import { defineMethod } from '../define-method.js';
import { HEAD_RATE, headPhase } from './feature-extraction.js';

/**
 * Peak learning rate of the last trunk layers, with AdamW. Embedded base, five passes, one seed,
 * accuracy after the last in %: amazon at 96, 92.7 at 1e-4, 93.2 at 3e-4, 90.6 at 1e-3; ants and bees at 128,
 * 91.5 at 1e-4, 90.2 at 3e-4 (at 224: 94.1).
 */
const TRUNK_RATE = 3e-4;
/** Learning rate of the first layer group as a share of the last one's. */
const LOWEST_SHARE = 0.1;

export default defineMethod({
  name: 'fine-tune',
  kind: 'inductive',
  summary: 'Trains a new head on the frozen base, then the whole model, early layers more slowly.',
  source:
    'Howard and Ruder, "ULMFiT", 2018 (gradual unfreezing, discriminative rates); fastai `fine_tune`',
  streams: [{ name: 'train', labelled: true }],
  usesBase: true,
  plan: ({ model, hasRole, epochs, lr = TRUNK_RATE }) => {
    const isHead = (path: string) => hasRole(path, 'head');
    // A head fresh from its initialisation would send noise through the trunk.
    const headEpochs = Math.max(1, Math.round(epochs / 3));
    const head = headPhase(headEpochs, isHead, (HEAD_RATE * lr) / TRUNK_RATE);
    if (epochs <= headEpochs) return [head];
    const groups = groupIndices(model);
    const last = Math.max(1, ...groups.values());
    return [
      head,
      {
        name: 'all',
        epochs: epochs - headEpochs,
        runs: 'all',
        trainable: () => true,
        norms: 'frozen',
        lr,
        rate: (path) => LOWEST_SHARE ** (1 - groups.get(path)! / last),
        warmup: 0.1,
      },
    ];
  },
});
