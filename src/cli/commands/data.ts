/** Commands that apply a finished run: `evaluate`, `predict`, `report`, `export`. */
import { type Command, Option } from 'commander';
import { ConfigError } from '../../errors.js';
import { printJson } from '../outcome.js';
import { asNumber } from '../values.js';

interface DeviceFlags {
  readonly json?: boolean;
  readonly device?: 'cpu' | 'webgpu' | 'cuda';
  readonly threads?: number;
}

function withDevice(command: Command): Command {
  return command
    .addOption(new Option('--device <name>', 'where it runs').choices(['cpu', 'webgpu', 'cuda']))
    .addOption(
      new Option('--threads <n>', 'threads; all processors by default').argParser(asNumber),
    )
    .option('--json', 'one JSON object as the last line of stdout');
}

interface WritingFlags {
  readonly stream?: boolean;
  /** Of `--no-repeat-ngram`: commander takes the name for a negation, and gives true where it is not there. */
  readonly repeatNgram?: number | true;
}

/** Adds what models that write are told; nothing of it is chosen by itself. */
function withWriting(command: Command): Command {
  const numbers = [
    ['--max-new-tokens <n>', 'tokens at most'],
    ['--beams <n>', 'texts followed side by side; 1 draws no words'],
    ['--length-penalty <x>', 'above 0, beams favour long texts'],
    ['--temperature <x>', 'draw words, at this temperature'],
    ['--top-k <n>', 'draw among so many words'],
    ['--top-p <x>', 'draw among the likeliest'],
    ['--min-p <x>', "draw among words with this part of the likeliest one's chance"],
    ['--seed <n>', 'seed of the draws'],
    ['--no-repeat-ngram <n>', 'no run of so many tokens comes twice'],
    ['--repetition-penalty <x>', 'above 1, what came before becomes less likely'],
  ] as const;
  for (const [flags, what] of numbers) {
    command.addOption(new Option(flags, `models that write: ${what}`).argParser(asNumber));
  }
  return command
    .option('--stop <text...>', 'models that write: what ends a text; give it after the inputs')
    .option('--stream', 'models that write: print the text as it comes');
}

/** Prints what a run writes as it is written, a prompt a line. */
async function streamTo(
  out: NodeJS.WritableStream,
  run: string,
  inputs: readonly string[],
  choices: DeviceFlags,
): Promise<void> {
  if (choices.json) {
    throw new ConfigError(
      '--stream prints text as it comes, --json one object at the end. Give one of them.',
      {},
      'usage',
    );
  }
  const { streamPredictions } = await import('../../run/index.node.js');
  let last = -1;
  for await (const { index, text, piece } of streamPredictions(run, inputs, choices)) {
    if (index !== last) out.write(`${last < 0 ? '' : '\n'}${text}: `);
    last = index;
    out.write(piece);
  }
  out.write('\n');
}

/** What is asked about: what comes by standard input where nothing is named and something comes. */
function askedOf(inputs: readonly string[]): readonly string[] {
  if (inputs.length > 0) return inputs;
  if (!process.stdin.isTTY) return ['-'];
  throw new ConfigError('predict: give what is asked about, or pipe texts in.', {}, 'usage');
}

/** Adds the commands. */
export function addDataCommands(program: Command): void {
  withDevice(
    program
      .command('evaluate')
      .description('score a run on labelled data')
      .argument('<run>', 'folder that graft fit wrote')
      .argument('<data>', 'labelled pictures or texts, as graft fit takes them'),
  )
    .option('--tta', 'average over flipped and cropped views')
    .option('--strict', 'end at what cannot be used, or is cut, instead of telling of it')
    .action(
      async (
        run: string,
        data: string,
        flags: DeviceFlags & { tta?: boolean; strict?: boolean },
      ) => {
        const { evaluateRun, formatEvaluation } = await import('../../run/index.node.js');
        const result = await evaluateRun(run, data, flags);
        if (flags.json) printJson(result);
        else process.stdout.write(formatEvaluation(result));
      },
    );

  const predict = withDevice(
    program
      .command('predict')
      .description('classify pictures, or answer texts')
      .argument('<run>', 'folder that graft fit wrote, or of a model with a head')
      .argument(
        '[input...]',
        'pictures or folders of them; texts, files of them, or - for the lines of standard input',
      ),
  )
    .addOption(
      new Option(
        '--top <k>',
        'classes, or words for a mask, that are named; 3 by default',
      ).argParser(asNumber),
    )
    .option('--tta', 'average over flipped and cropped views')
    .option('--context <text|file>', 'models that answer questions: what they are answered from')
    .option('--pair <text>', 'models of two texts: the second of each that is given here')
    .option('--strict', 'end at rows that cannot be answered and texts that are cut')
    .option('--out <file>', 'also write the answers as a table: .csv or .jsonl');
  withWriting(predict).action(
    async (
      run: string,
      inputs: string[],
      {
        stream,
        repeatNgram,
        out,
        ...flags
      }: DeviceFlags & WritingFlags & { top?: number; tta?: boolean; out?: string },
    ) => {
      const runs = await import('../../run/index.node.js');
      const { predictRun, formatPredictions, checkTable, writeTable } = runs;
      const asked = askedOf(inputs);
      const choices = {
        ...flags,
        ...(typeof repeatNgram === 'number' ? { noRepeatNgram: repeatNgram } : {}),
      };
      if (stream) return streamTo(process.stdout, run, asked, choices);
      if (out !== undefined) await checkTable(out, asked);
      const result = await predictRun(run, asked, choices);
      if (out !== undefined) await writeTable(out, result);
      if (flags.json) printJson(result);
      else process.stdout.write(formatPredictions(result));
    },
  );

  withDevice(
    program
      .command('report')
      .description('write report.html of a run anew')
      .argument('<run>', 'folder that graft fit wrote'),
  ).action(async (run: string, flags: DeviceFlags) => {
    const { reportRun } = await import('../../run/index.node.js');
    const path = await reportRun(run, flags);
    if (flags.json) printJson({ report: path });
    else process.stdout.write(`${path}\n`);
  });

  program
    .command('export')
    .description('write the model of a run for other programs')
    .argument('<run>', 'folder that graft fit wrote')
    .addOption(
      new Option('--to <kind>', 'what it becomes')
        .choices(['onnx', 'huggingface'])
        .makeOptionMandatory(),
    )
    .requiredOption('--out <path>', 'file (onnx) or folder (huggingface) to write')
    .option('--force', 'overwrite what lies there')
    .option('--json', 'one JSON object as the last line of stdout')
    .action(
      async (
        run: string,
        flags: { to: 'onnx' | 'huggingface'; out: string; force?: boolean; json?: boolean },
      ) => {
        const { exportRun } = await import('../../run/index.node.js');
        const result = await exportRun(run, flags);
        if (flags.json) printJson(result);
        else process.stdout.write(`${result.out}\n${result.note ? `${result.note}\n` : ''}`);
      },
    );
}
