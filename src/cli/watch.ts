/** Shows a run's events to a person. */
import type { RunListener } from '../run/index.node.js';
import { ProgressLine } from '../train/index.node.js';

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** A listener that draws on stderr, and how to end it. */
export function watchRun(): { listener: RunListener; close: () => void } {
  const line = new ProgressLine();
  let metric: Record<string, number> = {};
  const listener: RunListener = (event) => {
    if (event.type === 'note') line.note(event.text);
    else if (event.type === 'data') {
      line.update({ ...idle, step: event.done, steps: event.total, values: {}, phase: 'reading' });
    } else if (event.type === 'features') {
      line.update({ ...idle, step: event.done, steps: event.total, values: {}, phase: 'features' });
    } else if (event.type === 'phase') {
      const part = `${event.trainable.toLocaleString('en')} of ${event.total.toLocaleString('en')}`;
      line.note(`phase ${event.phase}: ${event.epochs} epochs, ${part} parameters move`);
    } else if (event.type === 'step') {
      line.update({ ...event, values: { loss: event.loss, ...metric } });
    } else if (event.type === 'epoch') {
      if (event.valid) metric = { accuracy: event.valid.accuracy! };
      const score = event.valid ? `, accuracy ${percent(event.valid.accuracy!)}` : '';
      line.note(
        `epoch ${event.epoch}/${event.epochs}: loss ${event.loss.toFixed(4)}${score}${event.best ? ' (best so far)' : ''}`,
      );
    } else if (event.type === 'early-stop') {
      line.note(`no better model for ${event.patience} epochs: the phase ends`);
    } else if (event.type === 'resume') {
      line.note(`resumed after step ${event.step}`);
    }
  };
  return { listener, close: () => line.done() };
}

const idle = { epoch: 1, epochs: 1 };
