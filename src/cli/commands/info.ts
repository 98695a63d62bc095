/** Commands that only look: `bases`, `info`. */
import type { Command } from 'commander';
import { printJson } from '../outcome.js';

/** Adds the commands. */
export function addInfoCommands(program: Command): void {
  program
    .command('bases')
    .description('list the bases in the package and the architectures that can be loaded')
    .option('--json', 'one JSON object as the last line of stdout')
    .action(async (flags: { json?: boolean }) => {
      const { listBases, formatBases } = await import('../../run/index.node.js');
      const result = await listBases();
      if (flags.json) printJson(result);
      else process.stdout.write(formatBases(result));
    });

  program
    .command('info')
    .description('say what a base or a run is')
    .argument('<base>', 'org/name, a folder, an .onnx file, graft/..., or a run')
    .option('--json', 'one JSON object as the last line of stdout')
    .action(async (base: string, flags: { json?: boolean }) => {
      const { describeBase, formatInfo } = await import('../../run/index.node.js');
      const result = await describeBase(base);
      if (flags.json) printJson(result);
      else process.stdout.write(formatInfo(result));
    });
}
