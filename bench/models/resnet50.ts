/** ResNet-50 in torchvision's layout. */
import {
  add,
  BatchNorm,
  type Context,
  Conv2d,
  globalAvgPool,
  Linear,
  Module,
  maxPool2d,
  relu,
  reshape,
  type Tensor,
} from '../../src/index.js';

class Bottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm;
  readonly downsample: [Conv2d, BatchNorm] | [];

  constructor(inside: number, width: number, stride: number) {
    super();
    const out = width * 4;
    this.conv1 = new Conv2d(inside, width, 1, { bias: false });
    this.bn1 = new BatchNorm(width);
    this.conv2 = new Conv2d(width, width, 3, { bias: false, stride, padding: 1 });
    this.bn2 = new BatchNorm(width);
    this.conv3 = new Conv2d(width, out, 1, { bias: false });
    this.bn3 = new BatchNorm(out);
    this.downsample =
      stride !== 1 || inside !== out
        ? [new Conv2d(inside, out, 1, { bias: false, stride }), new BatchNorm(out)]
        : [];
  }

  override forward(x: Tensor, context: Context): Tensor {
    let y = relu(this.bn1.forward(this.conv1.forward(x), context));
    y = relu(this.bn2.forward(this.conv2.forward(y), context));
    y = this.bn3.forward(this.conv3.forward(y), context);
    const [conv, norm] = this.downsample;
    const skip = conv && norm ? norm.forward(conv.forward(x), context) : x;
    return relu(add(y, skip));
  }
}

/** x [batch, 3, 224, 224] to logits [batch, classes]. */
export class ResNet50 extends Module {
  readonly conv1 = new Conv2d(3, 64, 7, { bias: false, stride: 2, padding: 3 });
  readonly bn1 = new BatchNorm(64);
  readonly blocks: Bottleneck[] = [];
  readonly fc: Linear;

  constructor(classes: number) {
    super();
    let inside = 64;
    for (const [width, count, stride] of [
      [64, 3, 1],
      [128, 4, 2],
      [256, 6, 2],
      [512, 3, 2],
    ] as const) {
      for (let i = 0; i < count; i++) {
        this.blocks.push(new Bottleneck(inside, width, i === 0 ? stride : 1));
        inside = width * 4;
      }
    }
    this.fc = new Linear(inside, classes);
  }

  /** Every norm becomes a constant affine map, as in fine-tuning on few or small batches. */
  freezeNorms(): void {
    const visit = (module: Module): void => {
      if (module instanceof BatchNorm) module.freeze();
      for (const child of module.children().values()) visit(child);
    };
    visit(this);
  }

  override forward(x: Tensor, context: Context): Tensor {
    let y = relu(this.bn1.forward(this.conv1.forward(x), context));
    y = maxPool2d(y, 3, { stride: 2, padding: 1 });
    for (const block of this.blocks) y = block.forward(y, context);
    return this.fc.forward(reshape(globalAvgPool(y), [x.shape[0]!, -1]));
  }
}
