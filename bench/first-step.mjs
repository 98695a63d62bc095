/**
 * A process of its own: from nothing to the first finished training step of a base in a folder, as the
 * command line takes it, and one step more. It says when it stands before the first, and when each is done.
 */
import process from 'node:process';
import { compiled } from '../scripts/compiled.mjs';

const [path, batchSize, tokens, threads] = process.argv.slice(2);
const load = async (name) => import(await compiled(name));

const [{ loadHead, openTextFolder, tokenLimit }, { openEngine }, { streamOf }, { planText }] =
  await Promise.all(
    ['run/text/base.js', 'run/engine.js', 'run/text/streams.js', 'run/text/plan.js'].map(load),
  );
const [{ findMethod }, { PhaseRun }, { fitDefaults }] = await Promise.all(
  ['methods/index.js', 'train/index.js', 'run/options.js'].map(load),
);

const count = Number(batchSize);
const engine = await openEngine({ threads: Number(threads) });
const base = await openTextFolder(path);
const maxTokens = tokenLimit(base, Number(tokens));
// More words than fit, so that every text is cut to the limit.
const text = Array.from({ length: Number(tokens) }, () => 'text').join(' ');
const train = Array.from({ length: count }, (_, i) => ({ id: String(i), text, label: i % 2 }));
const dataset = { kind: 'single-label', classes: ['no', 'yes'], train, valid: [], test: [] };
const choices = { ...fitDefaults('text-classification'), data: '', batch: count };
const plan = planText(dataset, choices, base, maxTokens);
const { model, weights, head } = await loadHead(base, plan.head);
const stream = await streamOf(plan, train, {
  base,
  choices: { ...choices, augment: 'none' },
  maxTokens,
  fingerprint: 'bench',
});
const [phase] = findMethod('fine-tune').plan({
  model,
  hasRole: (parameter) => head.parameters.test(parameter),
  epochs: 1,
  modality: 'text',
});
const run = await PhaseRun.create({
  engine,
  model,
  weights,
  task: plan.task,
  train: stream,
  valid: null,
  phase,
  steps: 100,
  optimizer: { name: choices.optimizer, weightDecay: choices.weightDecay },
  clipNorm: choices.clipNorm,
  ema: undefined,
  seed: 0,
});
console.log('ready');
for (const name of ['done', 'again']) {
  for await (const batch of stream.read({ epoch: 0, training: true })) await run.update([batch]);
  console.log(name);
}
