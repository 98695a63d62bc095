/**
 * Gradual unfreezing: the head first, then one more stretch of layers a pass, from the top down, until everything
 * moves for the rest of the run.
 */
import { groupIndices } from '../../models/index.js';
import { defineMethod, type Phase } from '../define-method.js';
import { HEAD_RATE, headPhase } from './feature-extraction.js';
import { layerRates } from './fine-tune.js';

/**
 * Peak learning rate of the head once layers below it move; those are slower by `DECAY` a layer. Tried on the toy of
 * test/contract/methods.test.ts alone, where 3e-4 lost to training from scratch and 1e-3 and 2e-3 did not; that for
 * texts was not compared with others.
 */
const RATE = { image: 1e-3, text: 2e-4 };
/** Howard and Ruder's factor between neighbouring layers. */
const DECAY = 1 / 2.6;

export default defineMethod({
  name: 'gradual-unfreezing',
  kind: 'inductive',
  summary: 'Trains the head, then unfreezes more layers pass by pass, down to the input.',
  source: 'Howard and Ruder, "Universal language model fine-tuning for text classification", 2018',
  streams: [{ name: 'train', labelled: true }],
  usesBase: true,
  plan: ({ model, hasRole, epochs, modality = 'image', headTrained = false, layerDecay, lr }) => {
    const peak = lr ?? RATE[modality];
    const groups = groupIndices(model);
    const count = 1 + Math.max(...groups.values());
    const isHead = (path: string) => hasRole(path, 'head');
    const headEpochs = headTrained ? 0 : 1;
    const rest = epochs - headEpochs;
    const phases: Phase[] = headEpochs
      ? [headPhase(headEpochs, isHead, (HEAD_RATE * peak) / RATE[modality])]
      : [];
    // Half of the passes at most go by before everything moves; the last phase has all that are left.
    const stages = Math.min(count - 2, Math.floor(rest / 2));
    for (let stage = 1; stage <= stages + 1 && rest > 0; stage++) {
      const last = stage === stages + 1;
      const lowest = last ? 0 : Math.floor(count * (1 - stage / (stages + 1)));
      phases.push({
        name: last ? 'all' : `from group ${lowest}`,
        epochs: last ? rest - stages : 1,
        runs: 'all',
        trainable: (path) => groups.get(path)! >= lowest || isHead(path),
        norms: 'frozen',
        lr: peak,
        rate: layerRates(model, layerDecay ?? DECAY),
        // Slanted triangles: a short rise, then a long fall.
        warmup: 0.1,
        schedule: 'linear',
      });
    }
    return phases;
  },
});
