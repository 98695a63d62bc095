/** `graft pretrain`: a better base from unlabelled data. */
import { type Command, Option } from 'commander';
import { runTraining, type TrainingFlags, withTraining } from './training.js';

/** Adds the command. */
export function addPretrain(program: Command): void {
  const command = program
    .command('pretrain')
    .description('train a base further on texts without labels: --base RUN/model of what comes out')
    .argument('[data]', 'plain text, or a table with a column text; not needed with --resume')
    .addOption(
      new Option('--objective <name>', 'mlm: guess masked words; clm: guess the next word').choices(
        ['mlm', 'clm'],
      ),
    )
    .option('--base <name>', 'org/name on the hub, a folder, or graft/... in the package')
    .addOption(
      new Option('--method <name>', 'fine-tune, or scratch for random weights').choices([
        'fine-tune',
        'scratch',
      ]),
    );
  withTraining(command).action((data: string | undefined, flags: TrainingFlags) =>
    runTraining(data, flags.resume ? flags : { ...flags, task: 'language-modeling' }),
  );
}
