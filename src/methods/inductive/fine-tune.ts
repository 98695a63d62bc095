/**
 * Fine-tuning. Pictures in two phases: the new head first, on kept features of the frozen trunk, then
 * everything, the slower the nearer to the input; batch norms keep the base's statistics. Texts in one phase
 * with a long warm-up, as transformers are tuned.
 */
import { groupIndices, type Network } from '../../models/index.js';
import { defineMethod, type Phase } from '../define-method.js';
import { HEAD_RATE, headPhase } from './feature-extraction.js';

/**
 * Peak learning rate of the last trunk layers, with AdamW. Embedded base, five passes, one seed,
 * accuracy after the last in %: amazon at 96, 92.7 at 1e-4, 93.2 at 3e-4, 90.6 at 1e-3; ants and bees at 128,
 * 91.5 at 1e-4, 90.2 at 3e-4 (at 224: 94.1).
 */
const TRUNK_RATE = 3e-4;
/**
 * The same for texts: 5e-5, the upper end of Devlin et al., BERT, 2018, at BERT-base's width, more for narrower models.
 * Width 384, one seed, by the validation part, at 5e-5, 1e-4, 2e-4 (4e-4): MiniLM on film reviews, two passes, accuracy
 * 0.822, 0.838, 0.835; on CoNLL-2003, three passes, F1 -, 0.904, 0.912; the embedded base on 600 film
 * reviews, three passes, 0.684, 0.710, 0.726 (0.702). Between the two widths, and beyond them, nothing was measured.
 */
const TEXT_RATE = { rate: 5e-5, width: 768, most: 2e-4 };
/** Peak rate for a text model of so many channels. */
function textRate(width: number): number {
  return Math.min(TEXT_RATE.most, TEXT_RATE.rate * (TEXT_RATE.width / width) ** 2);
}

/** Learning rate of the first layer group of a picture's model as a share of the last one's. */
const LOWEST_SHARE = 0.1;

/**
 * Factor of the learning rate of each parameter: `decay` for each layer group between it and the head.
 * @see Howard and Ruder, "ULMFiT", 2018; Clark et al., "ELECTRA", 2020 (layer-wise decay)
 */
export function layerRates(model: Network, decay?: number): (path: string) => number {
  const groups = groupIndices(model);
  const last = Math.max(1, ...groups.values());
  const factor = decay ?? LOWEST_SHARE ** (1 / last);
  return (path) => factor ** (last - groups.get(path)!);
}

export default defineMethod({
  name: 'fine-tune',
  kind: 'inductive',
  summary: 'Trains a new head on the frozen base, then the whole model, early layers more slowly.',
  source:
    'Howard and Ruder, "ULMFiT", 2018 (discriminative rates); fastai `fine_tune`; Devlin et al., "BERT", 2018',
  streams: [{ name: 'train', labelled: true }],
  usesBase: true,
  plan: ({
    model,
    hasRole,
    epochs,
    modality = 'image',
    headTrained = false,
    layerDecay,
    width = TEXT_RATE.width,
    lr = modality === 'text' ? textRate(width) : TRUNK_RATE,
  }) => {
    const isText = modality === 'text';
    const all: Phase = {
      name: 'all',
      epochs,
      runs: 'all',
      trainable: () => true,
      norms: 'frozen',
      lr,
      // Layers of a text model are of one size and kind, and are tuned alike where nothing else is asked for.
      rate: isText && layerDecay === undefined ? () => 1 : layerRates(model, layerDecay),
      warmup: 0.1,
      schedule: isText ? 'linear' : 'cosine',
    };
    if (isText || headTrained) return [all];
    // A head fresh from its initialisation would send noise through the trunk.
    const headEpochs = Math.max(1, Math.round(epochs / 3));
    const isHead = (path: string) => hasRole(path, 'head');
    const head = headPhase(headEpochs, isHead, (HEAD_RATE * lr) / TRUNK_RATE);
    if (epochs <= headEpochs) return [head];
    return [head, { ...all, epochs: epochs - headEpochs }];
  },
});
