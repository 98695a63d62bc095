/**
 * `npm run demo`: the main job on what comes with the package. The embedded base is fine-tuned on 96
 * drawn pictures; the same network gets the same budget from random weights, so that one sees what
 * the base was worth; the result is exported as ONNX.
 */
import { readdirSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import * as graft from '../src/index.js';

const data = fileURLToPath(new URL('../assets/demo', import.meta.url));
const shown = (path: string) => relative(process.cwd(), path);

/** What of the demo a test makes smaller. */
export interface DemoOptions {
  /** Folder of the run; `runs/demo`, or the next that is free, by default. */
  readonly out?: string;
  /** Side of the pictures; the base's own by default. */
  readonly size?: number;
}

/** Runs the demo. @param print takes a finished line */
export async function demo(
  print: (line: string) => void,
  options: DemoOptions = {},
): Promise<graft.FitRun> {
  const watch = graft.watchRun();
  const run = await graft.fit({
    data,
    epochs: 4,
    control: true,
    seed: 1,
    listener: watch.listener,
    command: 'npm run demo',
    ...options,
  });
  watch.close();
  print(run.text);

  const { files, note } = await graft.exportRun(run.out, {
    to: 'onnx',
    out: join(run.out, 'onnx'),
  });
  print(`ONNX:   ${files.map(shown).join(', ')}\n        ${note}\n`);

  const valid = join(data, 'valid');
  const pictures = readdirSync(valid).map((name) =>
    join(valid, name, readdirSync(join(valid, name)).sort()[0]!),
  );
  const { predictions } = await graft.predictRun(run.out, pictures, { top: 1 });
  print('One picture a class, none of them trained on:');
  for (const { file, answers } of predictions) {
    const { label, probability } = answers![0]!;
    print(`  ${relative(valid, file).padEnd(24)} ${label} (${(100 * probability).toFixed(0)} %)`);
  }
  print(`\nOpen ${shown(join(run.out, 'report.html'))} in a browser.`);
  return run;
}

const entry = process.argv[1];
if (entry && realpathSync(entry) === fileURLToPath(import.meta.url)) {
  await demo((line) => console.log(line));
}
