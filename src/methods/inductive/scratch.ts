/** The control: the same network and budget from random weights. */
import { defineMethod } from '../define-method.js';

export default defineMethod({
  name: 'scratch',
  kind: 'inductive',
  summary: 'Trains the same network from random weights: the control that a transfer must beat.',
  source: 'He, Girshick and Dollár, "Rethinking ImageNet pre-training", 2019',
  streams: [{ name: 'train', labelled: true }],
  usesBase: false,
  plan: ({ epochs, lr = 1e-3 }) => [
    {
      name: 'all',
      epochs,
      runs: 'all',
      trainable: () => true,
      norms: 'batch',
      lr,
      rate: () => 1,
      warmup: 0.1,
    },
  ],
});
