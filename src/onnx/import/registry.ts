/** The rules of all families by domain and operator. */
import { elementwiseRules } from './elementwise.js';
import type { Rule, Rules } from './rule.js';

const families: readonly Rules[] = [elementwiseRules];

const rules = new Map<string, Rule>();
for (const family of families) {
  for (const [opType, rule] of Object.entries(family)) rules.set(`\n${opType}`, rule);
}

/** The rule for an operator; undefined when there is none. */
export function ruleFor(domain: string, opType: string): Rule | undefined {
  return rules.get(`${domain}\n${opType}`);
}

/** Operators of the default domain that have a rule. */
export function knownOps(): string[] {
  return [...rules.keys()].filter((k) => k.startsWith('\n')).map((k) => k.slice(1));
}
