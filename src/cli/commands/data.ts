/** Commands that apply a finished run: `evaluate`, `predict`, `report`, `export`. */
import { type Command, Option } from 'commander';
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
    .option('--strict', 'end at the first unreadable picture instead of leaving it out')
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

  withDevice(
    program
      .command('predict')
      .description('classify pictures, or answer texts')
      .argument('<run>', 'folder that graft fit wrote, or of a model with a head')
      .argument('<input...>', 'pictures or folders of them; texts, or files of them'),
  )
    .addOption(
      new Option('--top <k>', 'classes, or words for a mask, that are named')
        .argParser(asNumber)
        .default(3),
    )
    .option('--tta', 'average over flipped and cropped views')
    .option('--context <text|file>', 'models that answer questions: what they are answered from')
    .option('--pair <text>', 'models of two texts: the second of each that is given here')
    .addOption(
      new Option('--max-new-tokens <n>', 'models that write: tokens at most').argParser(asNumber),
    )
    .addOption(
      new Option('--beams <n>', 'models that write: texts followed side by side').argParser(
        asNumber,
      ),
    )
    .addOption(
      new Option(
        '--temperature <x>',
        'models that write: draw words, at this temperature',
      ).argParser(asNumber),
    )
    .addOption(
      new Option('--top-k <n>', 'models that write: draw among so many words').argParser(asNumber),
    )
    .addOption(
      new Option('--top-p <x>', 'models that write: draw among the likeliest').argParser(asNumber),
    )
    .addOption(new Option('--seed <n>', 'models that write: seed of the draws').argParser(asNumber))
    .action(
      async (
        run: string,
        inputs: string[],
        flags: DeviceFlags & { top: number; tta?: boolean },
      ) => {
        const { predictRun, formatPredictions } = await import('../../run/index.node.js');
        const result = await predictRun(run, inputs, flags);
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
