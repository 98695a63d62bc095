/** `graft fit`: adapts a base to data. */
import { type Command, Option } from 'commander';
import { Interrupted, printJson } from '../outcome.js';
import { asNumber, asShareOrPath, given } from '../values.js';

interface FitFlags {
  readonly [name: string]: string | number | boolean | undefined;
}

/** Adds the command. */
export function addFit(program: Command): void {
  const number = (flags: string, text: string) => new Option(flags, text).argParser(asNumber);
  program
    .command('fit')
    .description('adapt a pre-trained model to labelled pictures or to texts')
    .argument(
      '[data]',
      'pictures: folder of class folders, or a list of them; texts: CSV, TSV, JSONL, Parquet, CoNLL or plain text, or a folder with train.*, valid.*, test.*; not needed with --resume',
    )
    .addOption(new Option('--task <name>', 'what is learned; recognised from the data'))
    .option(
      '--base <name>',
      'org/name on the hub, a folder, an .onnx file, or graft/... in the package',
    )
    .option('--cut <value>', 'ONNX bases: the value at which the trunk ends')
    .option('--method <name>', 'fine-tune, feature-extraction, gradual-unfreezing or scratch')
    .addOption(
      new Option('--valid <path|share>', 'validation data, or the share held out').argParser(
        asShareOrPath,
      ),
    )
    .addOption(number('--epochs <n>', 'passes over the training data'))
    .addOption(number('--batch <n>', 'samples a batch'))
    .addOption(number('--lr <x>', "peak learning rate; the method's own by default"))
    .addOption(number('--warmup <share>', 'share of a phase in which the rate rises'))
    .addOption(new Option('--schedule <course>', 'how the rate falls: linear, cosine or constant'))
    .addOption(number('--layer-decay <x>', 'factor of the rate from one layer to the one below'))
    .addOption(new Option('--augment <preset>', 'none, light, default or (pictures) strong'))
    .addOption(number('--max-length <tokens>', 'texts: where they are cut; 256 by default'))
    .addOption(number('--reinit-layers <n>', 'texts: upper layers that start anew'))
    .option('--prefix <text>', 'texts to texts: what the model is told before each source')
    .addOption(number('--size <pixels>', "pictures: side of the input; the base's own by default"))
    .addOption(new Option('--optimizer <name>', 'adamw, sgd, lamb or lion'))
    .addOption(number('--weight-decay <x>', 'decay of kernels and matrices'))
    .addOption(number('--clip-norm <x>', "limit of the gradient's norm"))
    .addOption(number('--accumulate <n>', 'batches whose gradients make one step'))
    .addOption(number('--label-smoothing <x>', 'share of the target spread over all classes'))
    .addOption(new Option('--class-weights <kind>', 'none or balanced'))
    .addOption(number('--ema <decay>', 'evaluate an average of the weights, e.g. 0.999'))
    .addOption(number('--patience <n>', 'passes without a better model before a phase ends'))
    .addOption(number('--seed <n>', 'makes the run repeatable'))
    .option(
      '--control',
      'also train from random weights with the same budget, and say what the transfer gained',
    )
    .option('--strict', 'end at what cannot be used instead of leaving it out')
    .option('--out <folder>', 'where the run is written; runs/NAME by default')
    .option('--resume', 'go on with the interrupted run in --out')
    .addOption(
      number(
        '--checkpoint-every <steps>',
        'steps between checkpoints; one is written after each pass anyway',
      ),
    )
    .addOption(new Option('--device <name>', 'where it runs').choices(['cpu', 'webgpu', 'cuda']))
    .addOption(number('--threads <n>', 'threads; all processors by default'))
    .option('--json', 'progress to stderr, one JSON object as the last line of stdout')
    .action(async (data: string | undefined, flags: FitFlags) => {
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
    });
}

/** An argument as a shell takes it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
