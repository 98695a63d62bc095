/** Classifiers in which the batch turns up wherever it can: in reshapes, expansions, merged axes. */
import { constant, type Tensor } from '../../src/graph/index.js';
import { ImageClassifier } from '../../src/models/index.js';
import {
  BatchNorm,
  type Context,
  Conv2d,
  Dropout,
  GroupNorm,
  LayerNorm,
  Linear,
  normalInit,
  Parameter,
} from '../../src/nn/index.js';
import {
  add,
  concat,
  expand,
  flatten,
  gelu,
  globalAvgPool,
  matmul,
  maxPool2d,
  mul,
  reshape,
  rmsNorm,
  silu,
  slice,
  softmax,
  sum,
  transpose,
} from '../../src/ops/index.js';

/** Base of the classifiers here: three parts, of which a test needs the whole only. */
abstract class Net extends ImageClassifier {
  head: Linear;

  constructor(width: number, classes: number) {
    super();
    this.head = new Linear(width, classes);
  }

  pool(features: Tensor): Tensor {
    return features;
  }
  classify(pooled: Tensor): Tensor {
    return this.head.forward(pooled);
  }
  replaceHead(classes: number): void {
    this.head = new Linear(this.head.weight.tensor.shape[1]!, classes);
  }
  layerGroups(): string[] {
    return ['head'];
  }
}

/** Convolutions with batch norms before and behind them, group norm, dropout, pools. */
export class ConvNet extends Net {
  readonly before = new BatchNorm(3);
  readonly conv = new Conv2d(3, 16, 3, { padding: 1, bias: false });
  readonly norm = new BatchNorm(16);
  readonly depthwise = new Conv2d(16, 16, 3, { padding: 1, groups: 16 });
  readonly second = new BatchNorm(16);
  readonly group = new GroupNorm(4, 16);
  readonly dropout = new Dropout(0.5);

  constructor(classes: number) {
    super(16, classes);
  }

  features(x: Tensor, context: Context): Tensor {
    const before = this.before.forward(x, context);
    const y = silu(this.norm.forward(this.conv.forward(before), context));
    const z = this.second.forward(this.depthwise.forward(maxPool2d(y, 2)), context);
    return this.group.forward(z);
  }
  override pool(features: Tensor): Tensor {
    return flatten(globalAvgPool(features));
  }
  override classify(pooled: Tensor, context?: Context): Tensor {
    return this.head.forward(this.dropout.forward(pooled, context!));
  }
}

const WIDTH = 12;
const HEADS = 3;

/** Attention over patches, with a class token, once with heads as an axis and once merged. */
export class AttentionNet extends Net {
  readonly patches = new Conv2d(3, WIDTH, 4, { stride: 4 });
  readonly token = new Parameter([1, 1, WIDTH], normalInit());
  readonly positions = new Parameter([1, 5, WIDTH], normalInit());
  readonly norm = new LayerNorm(WIDTH);
  readonly scale = new Parameter([WIDTH], normalInit());
  readonly query = new Linear(WIDTH, WIDTH);
  readonly value = new Linear(WIDTH, WIDTH);
  readonly mlp = new Linear(WIDTH, WIDTH);

  constructor(classes: number) {
    super(WIDTH, classes);
  }

  features(x: Tensor): Tensor {
    const [batch] = x.shape as [number];
    const grid = this.patches.forward(x);
    const tokens = transpose(reshape(grid, [batch, WIDTH, -1]), [0, 2, 1]);
    const y = add(
      concat([expand(this.token.tensor, [batch, 1, WIDTH]), tokens], 1),
      this.positions.tensor,
    );
    const h = this.norm.forward(y);
    const attended = add(y, this.apart(h));
    const merged = this.merged(rmsNorm(attended, { scale: this.scale.tensor }));
    return gelu(this.mlp.forward(merged));
  }

  private apart(x: Tensor): Tensor {
    const [batch, length] = x.shape as [number, number];
    const split = (t: Tensor) =>
      transpose(reshape(t, [batch, length, HEADS, WIDTH / HEADS]), [0, 2, 1, 3]);
    const q = split(this.query.forward(x));
    const weights = softmax(matmul(q, transpose(q)));
    const y = transpose(matmul(weights, split(this.value.forward(x))), [0, 2, 1, 3]);
    return reshape(y, [batch, length, WIDTH]);
  }

  /** The heads beside the samples, and a key that is expanded to so many. */
  private merged(x: Tensor): Tensor {
    const [batch, length] = x.shape as [number, number];
    const size = WIDTH / HEADS;
    const rows = reshape(transpose(reshape(x, [batch, length, HEADS, size]), [0, 2, 1, 3]), [
      batch * HEADS,
      length,
      size,
    ]);
    const first = slice(this.positions.tensor, { starts: [0], ends: [size], axes: [2] });
    const keys = expand(first, [batch * HEADS, length, size]);
    const weights = softmax(matmul(rows, transpose(keys)));
    const y = reshape(matmul(weights, rows), [batch, HEADS, length, size]);
    return reshape(transpose(y, [0, 2, 1, 3]), [batch, length, WIDTH]);
  }

  override pool(features: Tensor): Tensor {
    const [batch] = features.shape as [number];
    return reshape(slice(features, { starts: [0], ends: [1], axes: [1] }), [batch, WIDTH]);
  }
}

/** Adds a constant that holds the same row for every sample, as imported graphs may. */
export class RepeatedNet extends Net {
  constructor(classes: number) {
    super(3, classes);
  }

  features(x: Tensor): Tensor {
    const rows = Array.from({ length: x.shape[0]! }, () => [0.5, -1, 2]).flat();
    return mul(flatten(globalAvgPool(x)), constant(rows, 'float32', [x.shape[0]!, 3]));
  }
}

/** Subtracts the mean of the batch, which no file for every batch can hold as a constant. */
export class BatchMeanNet extends Net {
  constructor(classes: number) {
    super(3, classes);
  }

  features(x: Tensor): Tensor {
    const mean = mul(sum(x, { axes: 0, keepDims: true }), -1 / x.shape[0]!);
    return flatten(globalAvgPool(add(x, mean)));
  }
}
