/** One picture of the demo set, by part, class and number. */
import { Dice } from './dice.js';
import { OBJECTS } from './objects/index.js';
import { photograph } from './photograph.js';
import { scene } from './scene.js';

/** Pictures a class in each part. */
export const PARTS: Readonly<Record<string, number>> = { train: 16, valid: 8 };

const SEED = 1;

/** A JPEG file; the same bytes for the same arguments. */
export async function drawPicture(part: string, name: string, index: number): Promise<Buffer> {
  const dice = Dice.of(SEED, part, name);
  const count = PARTS[part]!;
  // Each class goes once round the hue circle, in an order of its own.
  const turn = (site: string) =>
    (dice.order(site, count)[index]! + dice.at(index).range(site, 0, 1)) / count;
  const hues = { thing: turn('thing hues'), backdrop: turn('backdrop hues') };
  const picture = dice.at(index);
  return photograph(picture.at('camera'), scene(picture.at('scene'), OBJECTS[name]!, hues));
}
