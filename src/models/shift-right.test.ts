/** Targets to decoder inputs. */
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../errors.js';
import { shiftRight } from './shift-right.js';

describe('shiftRight', () => {
  it('starts every row anew and pads where nothing is asked', () => {
    const labels = [5, 6, 1, 7, 1, -100];
    expect([...shiftRight(labels, 3, 0, 9)]).toEqual([0, 5, 6, 0, 7, 1]);
    expect([...shiftRight([4, -100, -100], 3, 2, 9)]).toEqual([2, 4, 9]);
  });

  it('refuses labels that are no rows', () => {
    expect(() => shiftRight([1, 2, 3], 2, 0, 0)).toThrow(ShapeError);
    expect(() => shiftRight([], 0, 0, 0)).toThrow(ShapeError);
  });
});
