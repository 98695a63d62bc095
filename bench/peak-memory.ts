/**
 * Runs a step a few times in a process of its own and prints its peak resident memory. Arguments: a
 * file of `models/` that exports STEPS, the step's name, how often it runs.
 */
import { readFileSync } from 'node:fs';
import { Engine } from '../src/index.js';
import { nodeRuntime } from '../src/runtime/ort-node.js';
import type { Steps } from './models/train.js';

const [models, name, calls] = process.argv.slice(2);
const { STEPS }: { STEPS: Steps } = await import(`./models/${models}.js`);
const step = await STEPS[name!]!(new Engine(await nodeRuntime({ threads: 2 })));
for (let i = 0; i < Number(calls); i++) await step();
const kib = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1];
console.log(JSON.stringify({ mib: Number(kib) / 1024 }));
