import { describe } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import type { Tensor } from '../graph/index.js';
import * as ops from './index.js';

const plain: Record<string, (x: Tensor) => Tensor> = {
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  logSigmoid: ops.logSigmoid,
  softplus: ops.softplus,
  relu: ops.relu,
  relu6: ops.relu6,
  selu: ops.selu,
  silu: ops.silu,
  mish: ops.mish,
  hardswish: ops.hardswish,
};

describe('activations', () => {
  for (const [name, fn] of Object.entries(plain)) opContract(name, ([x]) => fn(x!));
  opContract('leakyRelu', ([x], { slope }) => ops.leakyRelu(x!, slope));
  opContract('elu', ([x], { alpha }) => ops.elu(x!, alpha));
  opContract('hardsigmoid', ([x], options) => ops.hardsigmoid(x!, options));
});
