import { describe, expect, test } from 'vitest';
import {
  add,
  avgPool2d,
  cast,
  concat,
  conv1d,
  conv2d,
  convTranspose2d,
  crossEntropy,
  type DType,
  DTypeError,
  exp,
  expand,
  GradientError,
  GraftError,
  gather,
  grad,
  greater,
  input,
  layerNorm,
  matmul,
  maxPool2d,
  mul,
  reshape,
  ShapeError,
  slice,
  softmax,
  split,
  squeeze,
  sum,
  transpose,
  unsqueeze,
  vjp,
} from '../src/index.js';

const x = (...shape: number[]) => input('x', 'float32', shape);
const of = (dtype: DType, ...shape: number[]) => input('y', dtype, shape);

/** The mistakes people make: what is called, the kind of error, and what its text must name. */
const mistakes: [string, () => unknown, typeof GraftError | typeof ShapeError, RegExp[]][] = [
  [
    'matmul of sizes that do not meet',
    () => matmul(x(2, 3), x(4, 5)),
    ShapeError,
    [/^matmul: /, /\[2,3\]/, /\[4,5\]/, /[Tt]ranspose/],
  ],
  [
    'matmul of batches that do not broadcast',
    () => matmul(x(2, 3, 4), x(3, 4, 5)),
    ShapeError,
    [/^matmul: /, /broadcast/],
  ],
  [
    'matmul of dtypes that differ',
    () => matmul(x(2, 3), of('float64', 3, 2)),
    DTypeError,
    [/^matmul: /, /float32\[2,3\]/, /float64\[3,2\]/, /cast/],
  ],
  [
    'add of shapes that do not broadcast',
    () => add(x(2, 3), x(2)),
    ShapeError,
    [/^add: /, /\[2,3\] and \[2\]/, /axis -1/, /unsqueeze/],
  ],
  [
    'mul of a float and an integer',
    () => mul(x(2), of('int64', 2)),
    DTypeError,
    [/^mul: /, /int64\[2\]/, /cast\(x, 'float32'\)/],
  ],
  ['exp of integers', () => exp(of('int64', 2)), DTypeError, [/^exp: /, /int64\[2\]/, /cast/]],
  [
    'conv2d of the wrong number of channels',
    () => conv2d(x(1, 3, 8, 8), x(4, 5, 3, 3)),
    ShapeError,
    [/^conv(2d)?: /, /3 channels/, /\b5\b/, /groups|layout|order/],
  ],
  [
    'conv2d of an image without a batch axis',
    () => conv2d(x(3, 8, 8), x(4, 3, 3, 3)),
    ShapeError,
    [/^conv(2d)?: /, /\[3,8,8\]/],
  ],
  [
    'conv2d with a kernel larger than the image',
    () => conv2d(x(1, 1, 2, 2), x(1, 1, 5, 5)),
    ShapeError,
    [/^conv(2d)?: /, /pad/i],
  ],
  [
    'conv2d with a stride of zero',
    () => conv2d(x(1, 1, 4, 4), x(1, 1, 3, 3), { stride: 0 }),
    GraftError,
    [/^conv(2d)?: /, /stride/],
  ],
  [
    'conv2d with groups that do not divide',
    () => conv2d(x(1, 4, 4, 4), x(3, 2, 1, 1), { groups: 2 }),
    ShapeError,
    [/^conv(2d)?: /, /groups/],
  ],
  [
    'conv2d with a bias of another length',
    () => conv2d(x(1, 1, 4, 4), x(3, 1, 1, 1), { bias: x(4) }),
    ShapeError,
    [/^conv(2d)?: /, /bias/],
  ],
  [
    'conv1d of images',
    () => conv1d(x(1, 1, 4, 4), x(1, 1, 3)),
    ShapeError,
    [/^conv1d?: /, /\[1,1,4,4\]/],
  ],
  [
    'convTranspose2d of the wrong number of channels',
    () => convTranspose2d(x(1, 3, 4, 4), x(2, 1, 3, 3)),
    ShapeError,
    [/^convTranspose2d?: /, /\b3\b/, /\b2\b/],
  ],
  [
    'maxPool2d of a window larger than the image',
    () => maxPool2d(x(1, 1, 2, 2), 3),
    ShapeError,
    [/^maxPool/, /spans 3 elements/, /2/],
  ],
  ['avgPool2d of a matrix', () => avgPool2d(x(4, 4), 2), ShapeError, [/^avgPool/, /\[4,4\]/]],
  [
    'reshape to another number of elements',
    () => reshape(x(2, 3), [4]),
    ShapeError,
    [/^reshape: /, /6 elements/, /needs 4/],
  ],
  [
    'reshape with an axis that cannot be worked out',
    () => reshape(x(2, 3), [4, -1]),
    ShapeError,
    [/^reshape: /, /\[2,3\]/],
  ],
  [
    'transpose by what is no permutation',
    () => transpose(x(2, 3), [0, 0]),
    ShapeError,
    [/^transpose: /, /\[0,0\]/, /float32\[2,3\]/],
  ],
  [
    'expand of an axis that is not 1',
    () => expand(x(2, 3), [4, 3]),
    ShapeError,
    [/^expand: /, /\[2,3\]/, /\[4,3\]/],
  ],
  [
    'squeeze of an axis that is not 1',
    () => squeeze(x(2, 1), 0),
    ShapeError,
    [/^squeeze: /, /axis 0/, /length 2/],
  ],
  ['unsqueeze out of range', () => unsqueeze(x(2), 5), ShapeError, [/^unsqueeze: /, /axis 5/]],
  [
    'sum over an axis out of range',
    () => sum(x(2, 3), { axes: 2 }),
    ShapeError,
    [/^sum: /, /axis 2/, /use -2 to 1/],
  ],
  [
    'softmax over an axis out of range',
    () => softmax(x(2, 3), 4),
    ShapeError,
    [/^softmax: /, /axis 4/],
  ],
  [
    'concat of shapes that differ elsewhere',
    () => concat([x(2, 3), x(2, 4)], 0),
    ShapeError,
    [/^concat: /, /\[2,3\]/, /\[2,4\]/],
  ],
  ['split into sizes of another sum', () => split(x(5), [2, 2], 0), ShapeError, [/^split: /, /5/]],
  [
    'slice of an axis that is not there',
    () => slice(x(2), { starts: [0], ends: [1], axes: [3] }),
    ShapeError,
    [/^slice: /, /axis 3/],
  ],
  [
    'gather by floats',
    () => gather(x(2, 3), x(2), 0),
    DTypeError,
    [/^gather\b/, /float32\[2\]/, /int/],
  ],
  [
    'layerNorm with a scale of another size',
    () => layerNorm(x(2, 3), { scale: x(4) }),
    ShapeError,
    [/^layerNorm: /, /\[4\]/],
  ],
  [
    'crossEntropy with one-hot labels',
    () => crossEntropy(x(2, 3), x(2, 3)),
    GraftError,
    [/^crossEntropy\b/, /label/, /int64/],
  ],
  [
    'grad of something that is no scalar',
    () => grad(x(2), []),
    GradientError,
    [/^grad: /, /float32\[2\]/, /sum or mean/],
  ],
  ['grad of an integer', () => grad(of('int64'), []), GradientError, [/^grad: /, /int64\[\]/]],
  [
    'vjp with too few gradients',
    () => vjp([x(2)], [], []),
    GraftError,
    [/^vjp: /, /1 outputs but 0/],
  ],
  [
    'vjp with a gradient of another shape',
    () => vjp([x(2)], [x(3)], []),
    ShapeError,
    [/float32\[2\]/, /float32\[3\]/],
  ],
];

describe('a mistake is found while tracing, and its error names what came and what to do:', () => {
  test.each(mistakes)('%s', (_, make, kind, words) => {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(kind);
    const { message, code } = error as GraftError;
    expect(code).toMatch(/^[a-z-]+$/);
    for (const word of words) expect(message).toMatch(word);
    // A sentence, not a word: people are told what to do.
    expect(message.length).toBeGreaterThan(30);
    expect(message).toMatch(/\.$/);
  });
});

test('what looks like a mistake and is none', () => {
  expect(add(x(2, 3), 1).shape).toEqual([2, 3]);
  expect(matmul(x(5, 1, 2, 3), x(4, 3, 6)).shape).toEqual([5, 4, 2, 6]);
  expect(reshape(x(0, 3), [0, 7]).shape).toEqual([0, 7]);
  expect(cast(greater(x(2), 0), 'float32').dtype).toBe('float32');
});
