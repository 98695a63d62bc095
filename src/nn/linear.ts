/** Affine maps and lookup tables. Names and shapes of parameters are PyTorch's. */
import { type Tensor, withScope } from '../graph/index.js';
import { add, embedding, matmul, transpose } from '../ops/index.js';
import { fanInUniform, kaimingUniform, normalInit } from './init.js';
import { type Context, Module, Parameter } from './module.js';

/** y = x W^T + b over the last axis: x [..., in] to y [..., out]. */
export class Linear extends Module {
  /** [out, in] */
  readonly weight: Parameter;
  /** [out] */
  readonly bias: Parameter | null;

  /** @param options.bias add a bias. Defaults to true. */
  constructor(inFeatures: number, outFeatures: number, { bias = true }: { bias?: boolean } = {}) {
    super();
    this.weight = new Parameter([outFeatures, inFeatures], kaimingUniform());
    this.bias = bias ? new Parameter([outFeatures], fanInUniform(inFeatures)) : null;
  }

  override forward(x: Tensor, _context?: Context): Tensor {
    return withScope('linear', () => {
      const y = matmul(x, transpose(this.weight.tensor));
      return this.bias ? add(y, this.bias.tensor) : y;
    });
  }
}

/** A row of a table for each id: ids [...] (int32 or int64) to [..., dim]. */
export class Embedding extends Module {
  /** [count, dim] */
  readonly weight: Parameter;

  constructor(count: number, dim: number) {
    super();
    this.weight = new Parameter([count, dim], normalInit());
  }

  override forward(ids: Tensor, _context?: Context): Tensor {
    return withScope('embedding', () => embedding(this.weight.tensor, ids));
  }
}
