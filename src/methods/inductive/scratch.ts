/** The control: the same network and budget from random weights. */
import { defineMethod } from '../define-method.js';

/**
 * Peak learning rate of a network from random weights, with AdamW. A control must not lose for a poor
 * one: MobileNet V2, five passes, accuracy after the last in %, two seeds at 1e-3 and at 3e-3: ants and bees
 * at 128, 50.3 63.4 and 63.4 59.5; amazon at 96, 62.0 49.0 and 62.0 44.8. A thousand pictures of CIFAR-10
 * at 64, three passes, one seed: 21.5 and 15.5. At 3e-4 ants and bees, 53.6. Seeds differ by more than the two
 * rates, and where there is a difference in more than 80 steps it is for the lower one. Texts: MiniLM's
 * network on film reviews, two passes, accuracy by the validation part, 76.2 at 2e-4, 75.0 at 5e-4, 50.4 at 1e-3 with one
 * seed; of two more seeds neither learned at 5e-4 (47.7 and 52.3 on the test part), and the one tried at 2e-4 did, as did
 * one on 1,386 opinions on kitchen ware (66.6 on the test part, against 51.1, the mean of three seeds at 5e-4).
 */
const RATES = { image: 1e-3, text: 2e-4 };

export default defineMethod({
  name: 'scratch',
  kind: 'inductive',
  summary: 'Trains the same network from random weights: the control that a transfer must beat.',
  source: 'He, Girshick and Dollár, "Rethinking ImageNet pre-training", 2019',
  streams: [{ name: 'train', labelled: true }],
  usesBase: false,
  plan: ({ epochs, modality = 'image', lr = RATES[modality] }) => [
    {
      name: 'all',
      epochs,
      runs: 'all',
      trainable: () => true,
      norms: 'batch',
      lr,
      rate: () => 1,
      warmup: 0.1,
      schedule: modality === 'text' ? 'linear' : 'cosine',
    },
  ],
});
