/** What `graft fit` and `graft pretrain` share: options of training, and how a run is watched and ended. */
import { type Command, Option } from 'commander';
import { Interrupted, printJson } from '../outcome.js';
import { asNumber, asShareOrPath, given } from '../values.js';

/** Options of a command that trains, by name. */
export interface TrainingFlags {
  readonly [name: string]: string | number | boolean | undefined;
}

/** An option that is a number. */
export function numberOption(flags: string, text: string): Option {
  return new Option(flags, text).argParser(asNumber);
}

/** Options that say how a model is trained, and where the run is written. */
export function withTraining(command: Command): Command {
  return command
    .addOption(
      new Option('--valid <path|share>', 'validation data, or the share held out').argParser(
        asShareOrPath,
      ),
    )
    .addOption(numberOption('--epochs <n>', 'passes over the training data'))
    .addOption(numberOption('--batch <n>', 'samples a batch'))
    .addOption(numberOption('--lr <x>', "peak learning rate; the method's own by default"))
    .addOption(numberOption('--warmup <share>', 'share of a phase in which the rate rises'))
    .addOption(new Option('--schedule <course>', 'how the rate falls: linear, cosine or constant'))
    .addOption(
      numberOption('--layer-decay <x>', 'factor of the rate from one layer to the one below'),
    )
    .addOption(numberOption('--max-length <tokens>', 'texts: where they are cut; 256 by default'))
    .addOption(numberOption('--reinit-layers <n>', 'texts: upper layers that start anew'))
    .option('--add-tokens <file>', 'texts: tokens that the base learns beside its own, one a line')
    .addOption(new Option('--optimizer <name>', 'adamw, sgd, lamb or lion'))
    .addOption(numberOption('--weight-decay <x>', 'decay of kernels and matrices'))
    .addOption(numberOption('--clip-norm <x>', "limit of the gradient's norm"))
    .addOption(numberOption('--accumulate <n>', 'batches whose gradients make one step'))
    .addOption(numberOption('--ema <decay>', 'evaluate an average of the weights, e.g. 0.999'))
    .addOption(numberOption('--patience <n>', 'passes without a better model before a phase ends'))
    .addOption(numberOption('--seed <n>', 'makes the run repeatable'))
    .option('--strict', 'end at what cannot be used instead of leaving it out')
    .option('--out <folder>', 'where the run is written; runs/NAME by default')
    .option('--resume', 'go on with the interrupted run in --out')
    .addOption(
      numberOption(
        '--checkpoint-every <steps>',
        'steps between checkpoints; one is written after each pass anyway',
      ),
    )
    .addOption(new Option('--device <name>', 'where it runs').choices(['cpu', 'webgpu', 'cuda']))
    .addOption(numberOption('--threads <n>', 'threads; all processors by default'))
    .option('--json', 'progress to stderr, one JSON object as the last line of stdout');
}

/** Trains, shows how it goes, and ends a run that is interrupted after the step that it is in. */
export async function runTraining(data: string | undefined, flags: TrainingFlags): Promise<void> {
  const runs = await import('../../run/index.node.js');
  const { json, checkpointEvery, device, threads, out, resume, ...choices } = flags;
  const watch = runs.watchRun();
  const stop = new AbortController();
  // Once: the second one finds the system's own handling, which ends the process at once.
  const interrupt = () => {
    stop.abort();
    watch.listener({ type: 'note', text: 'ending after this step; once more ends at once' });
  };
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    const run = await runs.fit({
      ...given({ ...choices, data }),
      ...given({ out, resume, checkpointEvery, device, threads }),
      command: `graft ${process.argv.slice(2).map(quoted).join(' ')}`,
      listener: watch.listener,
      signal: stop.signal,
    } as Parameters<typeof runs.fit>[0]);
    watch.close();
    if (run.interrupted) {
      throw new Interrupted(
        `Interrupted; saved. Go on with: graft fit --resume --out ${quoted(run.out)}`,
      );
    }
    if (json) printJson(run.summary);
    else process.stdout.write(run.text);
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    throw new Interrupted('Interrupted before training began; nothing was written.');
  } finally {
    watch.close();
    process.removeListener('SIGINT', interrupt);
    process.removeListener('SIGTERM', interrupt);
  }
}

/** An argument as a shell takes it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
