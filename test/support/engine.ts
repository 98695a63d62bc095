/** One engine a test file: a session is cheap, but a thread pool a test is not. */
import { Engine } from '../../src/engine/index.js';
import { nodeRuntime } from '../../src/runtime/ort-node.js';

let shared: Promise<Engine> | undefined;

/** The engine of this test file, on the CPU with one thread. */
export function testEngine(): Promise<Engine> {
  shared ??= nodeRuntime({ threads: 1 }).then((runtime) => new Engine(runtime));
  return shared;
}
