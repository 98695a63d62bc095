/** The rules of all families by domain and operator. */
import { attentionRules } from './attention.js';
import { controlRules } from './control.js';
import { dataDependentRules } from './data-dependent.js';
import { elementwiseRules } from './elementwise.js';
import { indexingRules } from './indexing.js';
import { microsoftRules } from './microsoft.js';
import { nnRules } from './nn.js';
import { normRules } from './norm.js';
import { quantizeRules } from './quantize.js';
import { randomRules } from './random.js';
import { recurrentRules } from './recurrent.js';
import { reduceRules } from './reduce.js';
import type { Rule, Rules } from './rule.js';
import { sequenceRules } from './sequence.js';
import { shapeRules } from './shape.js';
import { signalRules } from './signal.js';
import { visionRules } from './vision.js';

const families: readonly Rules[] = [
  attentionRules,
  controlRules,
  dataDependentRules,
  elementwiseRules,
  indexingRules,
  nnRules,
  normRules,
  quantizeRules,
  randomRules,
  recurrentRules,
  reduceRules,
  sequenceRules,
  shapeRules,
  signalRules,
  visionRules,
];

const rules = new Map<string, Rule>();
for (const family of families) {
  for (const [opType, rule] of Object.entries(family)) rules.set(`\n${opType}`, rule);
}
for (const [opType, rule] of Object.entries(microsoftRules)) {
  rules.set(`com.microsoft\n${opType}`, rule);
}

/** The rule for an operator; undefined when there is none. */
export function ruleFor(domain: string, opType: string): Rule | undefined {
  return rules.get(`${domain}\n${opType}`);
}

/** Operators of the default domain that have a rule. */
export function knownOps(): string[] {
  return [...rules.keys()].filter((k) => k.startsWith('\n')).map((k) => k.slice(1));
}
