#!/usr/bin/env node
/** The command line: the built package, or in a clone what is in front of you. */
import { existsSync } from 'node:fs';

if (existsSync(new URL('../src/cli/main.ts', import.meta.url))) {
  const { compiled } = await import('../scripts/compiled.mjs');
  await import(await compiled('cli/main.js'));
} else {
  await import(new URL('../dist/cli/main.js', import.meta.url).href);
}
