/** Operators whose result size depends on values: they are worked out while importing, or not at all. */
import { constantOf, type HostTensor } from '../../graph/index.js';
import type { Rule, Rules } from './rule.js';

const evaluated: Rule = async (node) => {
  const inputs: (HostTensor | null)[] = [];
  for (let i = 0; i < node.inputCount; i++) {
    inputs.push(node.has(i) ? await node.constant(i) : null);
  }
  return (await node.host.runNode(node, inputs)).map(constantOf);
};

/** Rules of operators that are evaluated by the runtime on known values. */
export const dataDependentRules: Rules = {
  Unique: evaluated,
  NonMaxSuppression: evaluated,
};
