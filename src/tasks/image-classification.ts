/** Image classification: one class a picture. */
import { classificationMetrics } from '../metrics/index.js';
import { softCrossEntropy, sum } from '../ops/index.js';
import { defineTask } from './define-task.js';
import { packedRows, probabilitiesOf } from './probabilities.js';

/**
 * Cross entropy against a distribution a sample (one-hot, smoothed or mixed), scored as a
 * classifier. Reads `targets` [batch, classes] and `weights` [batch] beside the logits.
 */
export const imageClassification = defineTask<number>({
  name: 'image-classification',
  primary: { metric: 'accuracy', better: 'higher' },
  loss: (logits, { targets, weights }) => ({
    loss: softCrossEntropy(logits, targets!, { weights: weights!, reduction: 'sum' }),
    weight: sum(weights!),
  }),
  score: ({ rows, truth }) => {
    const { values, width } = packedRows(rows);
    const probabilities = probabilitiesOf({ logits: values, classes: width });
    return {
      ...classificationMetrics({ probabilities, labels: Int32Array.from(truth), classes: width }),
    };
  },
});
