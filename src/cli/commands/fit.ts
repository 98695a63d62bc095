/** `graft fit`: adapts a base to data. */
import { type Command, Option } from 'commander';
import { numberOption, runTraining, withTraining } from './training.js';

/** Adds the command. */
export function addFit(program: Command): void {
  const command = program
    .command('fit')
    .description('adapt a pre-trained model to labelled pictures or to texts')
    .argument(
      '[data]',
      'pictures: folder of class folders, or a list of them; texts: CSV, TSV, JSONL, Parquet, CoNLL or plain text, or a folder with train.*, valid.*, test.*; not needed with --resume',
    )
    .addOption(new Option('--task <name>', 'what is learned; recognised from the data'))
    .addOption(
      new Option(
        '--problem <kind>',
        'labels of texts: single-label, multi-label or regression (numbers); found out from them',
      ),
    )
    .option(
      '--base <name>',
      'org/name on the hub, a folder, an .onnx file, or graft/... in the package',
    )
    .option('--cut <value>', 'ONNX bases: the value at which the trunk ends')
    .option('--method <name>', 'fine-tune, feature-extraction, gradual-unfreezing or scratch')
    .addOption(new Option('--augment <preset>', 'none, light, default or (pictures) strong'))
    .option(
      '--back-translate <there,back>',
      'texts: two translators that say training texts in other words',
    )
    .option('--prefix <text>', 'texts to texts: what the model is told before each source')
    .addOption(
      numberOption('--size <pixels>', "pictures: side of the input; the base's own by default"),
    )
    .addOption(numberOption('--label-smoothing <x>', 'share of the target spread over all classes'))
    .addOption(new Option('--class-weights <kind>', 'none or balanced'))
    .option(
      '--control',
      'also train from random weights with the same budget, and say what the transfer gained',
    );
  withTraining(command).action(runTraining);
}
