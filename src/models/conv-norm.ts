/** Convolution, batch norm, activation: the brick of Hugging Face's convolutional networks. */
import type { Tensor } from '../graph/index.js';
import { BatchNorm, type Context, Conv2d, Module } from '../nn/index.js';
import type { Padding } from '../ops/index.js';

/** Options of {@link ConvNorm}. */
export interface ConvNormOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly dilation?: number;
  /** Defaults to half of the (dilated) kernel; `'same'` is TensorFlow's padding. */
  readonly padding?: Padding;
  /** None by default. */
  readonly activation?: ((x: Tensor) => Tensor) | undefined;
  /** Of the batch norm. */
  readonly epsilon?: number;
  /** Of the batch norm: weight of the newest batch. */
  readonly momentum?: number;
}

/** Convolution without bias, batch norm, activation; paths `convolution` and `normalization`. */
export class ConvNorm extends Module {
  readonly convolution: Conv2d;
  readonly normalization: BatchNorm;
  private readonly activation: (x: Tensor) => Tensor;

  constructor(inChannels: number, outChannels: number, options: ConvNormOptions) {
    super();
    const { kernel, stride = 1, groups = 1, dilation = 1, epsilon, momentum } = options;
    const { padding = dilation * Math.floor((kernel - 1) / 2), activation = (x) => x } = options;
    this.convolution = new Conv2d(inChannels, outChannels, kernel, {
      stride,
      groups,
      dilation,
      padding,
      bias: false,
    });
    this.normalization = new BatchNorm(outChannels, {
      ...(epsilon === undefined ? {} : { epsilon }),
      ...(momentum === undefined ? {} : { momentum }),
    });
    this.activation = activation;
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = this.normalization.forward(this.convolution.forward(x, context), context);
    return this.activation(y);
  }
}
