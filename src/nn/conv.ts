/** Convolution layers. Names and shapes of parameters are PyTorch's. */
import { ConfigError } from '../errors.js';
import { type Tensor, withScope } from '../graph/index.js';
import {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  convTranspose2d,
} from '../ops/index.js';
import { fanInUniform, kaimingUniform } from './init.js';
import { type Context, Module, Parameter } from './module.js';

/** Options of a convolution layer. */
export interface ConvLayerOptions extends Omit<ConvOptions, 'bias'> {
  /** Add a bias. Defaults to true. */
  readonly bias?: boolean;
}

/** Options of a transposed convolution layer. */
export interface ConvTransposeLayerOptions extends Omit<ConvTransposeOptions, 'bias'> {
  /** Add a bias. Defaults to true. */
  readonly bias?: boolean;
}

type Conv = (x: Tensor, w: Tensor, options: ConvOptions) => Tensor;

function requireGroups(inChannels: number, outChannels: number, groups: number): void {
  if (!(groups >= 1) || inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new ConfigError(
      `Convolution: ${inChannels} input and ${outChannels} output channels must both be multiples of groups, which is ${groups}.`,
      { inChannels, outChannels, groups },
    );
  }
}

abstract class ConvLayer extends Module {
  /** [out, in / groups, ...kernel] */
  readonly weight: Parameter;
  /** [out] */
  readonly bias: Parameter | null;
  private readonly options: ConvOptions;
  private readonly conv: Conv;

  constructor(
    conv: Conv,
    inChannels: number,
    outChannels: number,
    kernel: readonly number[],
    { bias = true, ...options }: ConvLayerOptions,
  ) {
    super();
    const { groups = 1 } = options;
    requireGroups(inChannels, outChannels, groups);
    const perGroup = inChannels / groups;
    const fanIn = kernel.reduce((n, k) => n * k, perGroup);
    this.weight = new Parameter([outChannels, perGroup, ...kernel], kaimingUniform());
    this.bias = bias ? new Parameter([outChannels], fanInUniform(fanIn)) : null;
    this.options = options;
    this.conv = conv;
  }

  override forward(x: Tensor, _context?: Context): Tensor {
    const { options } = this;
    return withScope('conv', () =>
      this.conv(
        x,
        this.weight.tensor,
        this.bias ? { ...options, bias: this.bias.tensor } : options,
      ),
    );
  }
}

/** Convolution over one axis: x [batch, in, length]. */
export class Conv1d extends ConvLayer {
  constructor(
    inChannels: number,
    outChannels: number,
    kernel: number,
    options: ConvLayerOptions = {},
  ) {
    super(conv1d, inChannels, outChannels, [kernel], options);
  }
}

/** Convolution over two axes: x [batch, in, height, width]. */
export class Conv2d extends ConvLayer {
  constructor(
    inChannels: number,
    outChannels: number,
    kernel: number | readonly [number, number],
    options: ConvLayerOptions = {},
  ) {
    const size = typeof kernel === 'number' ? [kernel, kernel] : kernel;
    super(conv2d, inChannels, outChannels, size, options);
  }
}

/** Transposed convolution over two axes: x [batch, in, height, width]. */
export class ConvTranspose2d extends Module {
  /** [in, out / groups, ...kernel] */
  readonly weight: Parameter;
  /** [out] */
  readonly bias: Parameter | null;
  private readonly options: ConvTransposeOptions;

  constructor(
    inChannels: number,
    outChannels: number,
    kernel: number | readonly [number, number],
    { bias = true, ...options }: ConvTransposeLayerOptions = {},
  ) {
    super();
    const [height, width] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
    const { groups = 1 } = options;
    requireGroups(inChannels, outChannels, groups);
    const perGroup = outChannels / groups;
    this.weight = new Parameter([inChannels, perGroup, height, width], kaimingUniform());
    this.bias = bias ? new Parameter([outChannels], fanInUniform(perGroup * height * width)) : null;
    this.options = options;
  }

  override forward(x: Tensor, _context?: Context): Tensor {
    const { options } = this;
    return withScope('conv-transpose', () =>
      convTranspose2d(
        x,
        this.weight.tensor,
        this.bias ? { ...options, bias: this.bias.tensor } : options,
      ),
    );
  }
}
