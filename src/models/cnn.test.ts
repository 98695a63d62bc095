/** ResNet, MobileNet, VGG and SqueezeNet against transformers, timm and torchvision. */
import { expect, test } from 'vitest';
import { checkGolden, goldenNames } from '../../test/support/model-golden.js';

const TYPES = ['resnet', 'mobilenet_v1', 'mobilenet_v2', 'vgg', 'squeezenet'];

test.each(TYPES.flatMap((type) => goldenNames(type)))(
  '%s: logits, all gradients and running statistics are those of the reference',
  (name) => checkGolden(name),
);

test('every architecture has golden files', () => {
  for (const type of TYPES) expect(goldenNames(type), type).not.toHaveLength(0);
});
