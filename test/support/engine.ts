/** One engine a test file: a session is cheap, but a thread pool a test is not. */
import { Engine } from '../../src/engine/index.js';
import { type NodeRuntimeOptions, nodeRuntime } from '../../src/runtime/ort-node.js';

let shared: Promise<Engine> | undefined;

/** Where the tests of operations run: the CPU, or what GRAFT_TEST_DEVICE names. */
export const testDevice = (process.env.GRAFT_TEST_DEVICE ?? 'cpu') as NonNullable<
  NodeRuntimeOptions['device']
>;

/** The engine of this test file, with one thread. */
export function testEngine(): Promise<Engine> {
  shared ??= nodeRuntime({ device: testDevice, threads: 1 }).then((runtime) => new Engine(runtime));
  return shared;
}
