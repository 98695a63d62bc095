/** The classes of the demo set. */
import { bicycle } from './bicycle.js';
import { fish } from './fish.js';
import { guitar } from './guitar.js';
import { house } from './house.js';
import { mug } from './mug.js';
import type { DrawnObject } from './object.js';
import { umbrella } from './umbrella.js';

export type { DrawnObject, Hand } from './object.js';

/** By class name, which is also the folder's. */
export const OBJECTS: Readonly<Record<string, DrawnObject>> = {
  bicycle,
  fish,
  guitar,
  house,
  mug,
  umbrella,
};
