/** Brings a model into the state that a phase asks for. */
import type { Phase } from '../methods/index.js';
import type { Network } from '../models/index.js';
import { BatchNorm, type Module } from '../nn/index.js';

function* modulesOf(module: Module): Generator<Module> {
  yield module;
  for (const child of module.children().values()) yield* modulesOf(child);
}

/** Sets what moves and how batch norms normalise. */
export function applyPhase(model: Network, phase: Phase): void {
  model.setTrainable(false);
  model.setTrainable(true, phase.trainable);
  for (const module of modulesOf(model)) {
    if (!(module instanceof BatchNorm)) continue;
    if (phase.norms === 'frozen') {
      module.freeze();
    } else {
      module.normalizeByBatch = true;
      module.updateStatistics = true;
    }
  }
}

/** Numbers of elements of a model's weights: those that move, and all. */
export function countElements(model: Network): { trainable: number; total: number } {
  let trainable = 0;
  let total = 0;
  for (const p of model.parameters().values()) {
    if (p.kind !== 'weight') continue;
    total += p.tensor.size;
    if (p.trainable) trainable += p.tensor.size;
  }
  return { trainable, total };
}
