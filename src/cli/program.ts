/** The commands and how they end. Commands load what they need when they run, so that help is quick. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addDataCommands } from './commands/data.js';
import { addFit } from './commands/fit.js';
import { addInfoCommands } from './commands/info.js';
import { addPretrain } from './commands/pretrain.js';
import { fail } from './outcome.js';

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** All commands, on a program that throws where commander would end the process. */
export function createProgram(): Command {
  const program = new Command('graft')
    .description(
      'Transfer learning: adapts a pre-trained model to your data, proves whether it helped, ships the result.',
    )
    .version(packageVersion())
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .showHelpAfterError('(graft COMMAND --help shows every option)');
  addFit(program);
  addPretrain(program);
  addDataCommands(program);
  addInfoCommands(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Runs the command line and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help was asked for
    return fail(error, args.includes('--json'));
  }
}
