/** The command line: what `graft` runs. */
import { EXIT } from './outcome.js';
import { main } from './program.js';

// The reader of a pipe may have seen enough: `graft predict ... | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
});
process.exitCode = await main(process.argv.slice(2));
