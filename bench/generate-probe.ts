/** Milliseconds a token of a GPT-2 of the small size with random weights: `npx tsx bench/generate-probe.ts`. */
import { performance } from 'node:perf_hooks';
import { Engine } from '../src/engine/index.js';
import { DecoderSession, feedWeights } from '../src/generate/index.js';
import { loadTextDefinition } from '../src/models/index.js';
import { initialize } from '../src/nn/index.js';
import { nodeRuntime } from '../src/runtime/index.node.js';

const option = (name: string, fallback: number) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const capacity = option('capacity', 256);
const tokens = option('tokens', 128);
const rows = option('rows', 1);
const prompt = option('prompt', 16);

const definition = await loadTextDefinition('gpt2');
const config = definition.parse({});
const model = definition.heads['causal-lm']!.build(config);
const weights = initialize(model, 0);
const engine = new Engine(await nodeRuntime({ threads: option('threads', 2) }));
const text = { definition, config, headName: 'causal-lm' as const, model, weights };
const fed = await feedWeights(engine, text);
let start = performance.now();
const shape = { prompts: rows, copies: 1, tokens: prompt, capacity };
const session = await DecoderSession.open(engine, text, fed, shape, {
  packed: !process.argv.includes('--fed'),
});
console.log(`compiled in ${(performance.now() - start).toFixed(0)} ms`);
console.log(`in place: ${session.updatedInPlace.length}`);
for (let round = 0; round < 3; round++) {
  start = performance.now();
  await session.read(
    Array.from({ length: rows }, () => Array.from({ length: prompt }, (_, i) => 100 + i)),
  );
  const read = performance.now() - start;
  start = performance.now();
  const times: number[] = [];
  for (let i = 0; i < tokens; i++) {
    const before = performance.now();
    const logits = await session.step(new Int32Array(rows).fill(i));
    if (!Number.isFinite(logits[0]!)) throw new Error('not finite');
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  const mean = (performance.now() - start) / tokens;
  console.log(
    `prompt ${read.toFixed(0)} ms, ${mean.toFixed(2)} ms a step (median ${times[tokens >> 1]!.toFixed(2)}, least ${times[0]!.toFixed(2)})`,
  );
}
console.log(`memory ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`);
