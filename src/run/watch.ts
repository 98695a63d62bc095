/** Shows a run's events to a person. */
import { ProgressLine } from '../train/index.node.js';
import { formatScore, plural } from './summary.js';
import type { RunListener } from './train-run.js';

/**
 * A listener that draws on stderr: a bar on a terminal, a line now and then in a log. Close it before
 * anything else is printed.
 * @example
 * const watch = watchRun();
 * const run = await fit({ data: 'photos', listener: watch.listener });
 * watch.close();
 */
export function watchRun(): { listener: RunListener; close: () => void } {
  const line = new ProgressLine();
  let metric: Record<string, number> = {};
  let last = 0;
  const listener: RunListener = (event) => {
    if (event.type === 'note') line.note(event.text);
    else if (event.type === 'data') {
      const { done, total, of = 'files' } = event;
      line.update({ ...idle, of, step: done, steps: total, values: {}, phase: 'reading' });
    } else if (event.type === 'download') {
      const phase = `downloading ${event.file}`;
      const { bytes, total } = event;
      line.update({ ...idle, of: 'bytes', step: bytes, steps: total, values: {}, phase });
    } else if (event.type === 'features') {
      const { done, total } = event;
      line.update({
        ...idle,
        of: 'batches',
        step: done,
        steps: total,
        values: {},
        phase: 'features',
      });
    } else if (event.type === 'phase') {
      const part = `${event.trainable.toLocaleString('en')} of ${event.total.toLocaleString('en')}`;
      line.note(`phase ${event.phase}: ${plural(event.epochs, 'epoch')}, ${part} parameters move`);
    } else if (event.type === 'step') {
      if (event.step < last) metric = {}; // another model: the control
      last = event.step;
      line.update({ ...event, values: { loss: event.loss, ...metric } });
    } else if (event.type === 'epoch') {
      const value = event.valid?.[event.primary];
      if (value !== undefined) metric = { [event.primary]: value };
      const score = value === undefined ? '' : `, ${formatScore(event.primary, value)}`;
      line.note(
        `epoch ${event.epoch}/${event.epochs}: loss ${event.loss.toFixed(4)}${score}${event.best ? ' (best so far)' : ''}`,
      );
    } else if (event.type === 'early-stop') {
      line.note(`no better model for ${plural(event.patience, 'epoch')}: the phase ends`);
    } else if (event.type === 'resume') {
      line.note(`resumed after step ${event.step}`);
    }
  };
  return { listener, close: () => line.done() };
}

const idle = { epoch: 1, epochs: 1 };
