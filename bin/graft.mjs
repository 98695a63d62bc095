#!/usr/bin/env node
/** The command line: the built package where there is one, the sources in a clone. */
import { existsSync } from 'node:fs';

const built = new URL('../dist/cli/main.js', import.meta.url);
const source = new URL('../src/cli/main.ts', import.meta.url);
// A clone runs what is in front of you, even when an older build lies beside it.
if (existsSync(source)) {
  const { register } = await import('tsx/esm/api');
  register();
  await import(source.href);
} else {
  await import(built.href);
}
