import { Command } from 'commander';
const p = new Command('graft'); p.parse();
