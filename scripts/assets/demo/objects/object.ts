/** What a drawable thing is. */
import type { Palette } from '../colour.js';
import type { Dice } from '../dice.js';
import type { Sheet } from '../sheet.js';

/** What a thing is drawn with. */
export interface Hand {
  readonly dice: Dice;
  readonly palette: Palette;
  readonly sheet: Sheet;
}

/** A class of things: each call draws one of its own shape, about 100 wide or high around (0, 0). */
export interface DrawnObject {
  draw(hand: Hand): string;
  /** How far it may turn from upright, degrees. */
  readonly turn: number;
}
