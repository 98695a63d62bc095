import { expect, test } from 'vitest';
import { BatchNorm, initialize, Linear, Sequential, variablesOf } from './index.js';

test('a module is sorted into what moves, what the forward pass moves, and what stays', () => {
  const net = new Sequential(new Linear(2, 3), new BatchNorm(3), new Linear(3, 2, { bias: false }));
  net.setTrainable(false, (path) => path.startsWith('0.'));
  const weights = initialize(net, 1);
  const { parameters, buffers, constants } = variablesOf(net, weights);
  expect(parameters.map((v) => v.name)).toEqual(['1.weight', '1.bias', '2.weight']);
  expect(buffers.map((v) => v.name)).toEqual(['1.running_mean', '1.running_var']);
  const all = net.parameters();
  expect([...constants]).toEqual(
    ['0.weight', '0.bias'].map((path) => [all.get(path)!.tensor, weights.get(path)]),
  );
  expect(parameters[2]).toMatchObject({ tensor: all.get('2.weight')!.tensor });
  expect(parameters[2]!.value).toBe(weights.get('2.weight'));
});

test('running statistics that do not move stay too', () => {
  const norm = new BatchNorm(3);
  const sorted = () => {
    const { parameters, buffers, constants } = variablesOf(norm, initialize(norm, 1));
    return [parameters.length, buffers.length, constants.size];
  };
  expect(sorted()).toEqual([2, 2, 0]);
  norm.updateStatistics = false;
  expect(sorted()).toEqual([2, 0, 2]);
  norm.updateStatistics = true;
  norm.freeze();
  expect(sorted()).toEqual([0, 0, 4]);
});

test('weights of another module are refused, by name', () => {
  const weights = initialize(new Linear(2, 3), 1);
  weights.delete('bias');
  expect(() => variablesOf(new Linear(2, 3), weights)).toThrow(/Missing: bias\./);
});
