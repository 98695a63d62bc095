/** The command line. Commands load what they need when they run, so that help is quick. */
import { Command, CommanderError } from 'commander';
import { addDataCommands } from './commands/data.js';
import { addFit } from './commands/fit.js';
import { addInfoCommands } from './commands/info.js';
import { fail } from './outcome.js';

/** All commands, on a program that throws where commander would end the process. */
export function createProgram(): Command {
  const program = new Command('graft')
    .description(
      'Transfer learning: adapts a pre-trained model to your data, proves whether it helped, ships the result.',
    )
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .showHelpAfterError('(graft COMMAND --help shows every option)');
  addFit(program);
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
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return fail(error, args.includes('--json'));
  }
}

process.exitCode = await main(process.argv.slice(2));
