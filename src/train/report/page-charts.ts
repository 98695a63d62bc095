/** Runs in the page of a report, not in Node: `drawCharts` is written into it as text. */
import type uPlot from 'uplot';
import type { Chart, PhaseMark } from './chart-data.js';

/** What the page's charts draw. */
export interface ChartData {
  readonly charts: readonly Chart[];
  readonly phases: readonly PhaseMark[];
  readonly best: { readonly step: number; readonly epoch: number } | null;
}

/**
 * Draws every element with `data-chart` once it has a width, and again when the axis, the colours or
 * the size change. Must not use anything from outside its body: only its text reaches the page.
 */
export function drawCharts(data: ChartData, UPlot: typeof uPlot): void {
  type Mode = 'step' | 'epoch';
  const colour = (name: string) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const mode = () =>
    (document.querySelector<HTMLInputElement>('input[name="axis"]:checked')?.value ??
      'step') as Mode;

  const text = (v: number): string => {
    const size = Math.abs(v);
    const plain =
      size > 0 && (size < 1e-3 || size >= 1e6)
        ? v.toExponential(1).replace('.0e', 'e').replace('e+', 'e')
        : String(Number(v.toPrecision(4)));
    return plain.replaceAll('-', '−');
  };

  /** Values by place on the axis; several at one place are averaged. */
  const placed = (series: Chart['series'][number], axis: Mode): Map<number, number | null> => {
    const sums = new Map<number, { sum: number; n: number }>();
    const xs = axis === 'step' ? series.steps : series.epochs;
    xs.forEach((x, i) => {
      const at = sums.get(x) ?? { sum: 0, n: 0 };
      const v = series.values[i] ?? null;
      if (v !== null) sums.set(x, { sum: at.sum + v, n: at.n + 1 });
      else if (at.n === 0) sums.set(x, at);
    });
    return new Map([...sums].map(([x, { sum, n }]) => [x, n > 0 ? sum / n : null]));
  };

  /** Running mean that forgets over a thirtieth of the line, so that noise does not hide the trend. */
  const smooth = (values: readonly (number | null)[], n: number): (number | null)[] => {
    const keep = Math.min(0.98, 1 - 30 / n);
    let [sum, weight] = [0, 0];
    return values.map((v) => {
      if (v === null) return null;
      sum = keep * sum + (1 - keep) * v;
      weight = keep * weight + (1 - keep);
      return sum / weight;
    });
  };

  const lineColour = (chart: Chart, i: number): string => {
    const known = ['train', 'valid', 'test'].indexOf(chart.series[i]!.name.split(',')[0]!);
    const place = chart.name === 'lr' ? i + 1 : known >= 0 ? known : i;
    return colour(`--series-${(place % 6) + 1}`);
  };

  const build = (chart: Chart, host: HTMLElement): uPlot => {
    const axis = mode();
    const lines = chart.series.map((s) => placed(s, axis));
    const xs = [...new Set(lines.flatMap((l) => [...l.keys()]))].sort((a, b) => a - b);
    const columns: (number | null)[][] = [];
    const series: uPlot.Series[] = [{ label: axis, value: (_, v) => text(v ?? xs.at(-1) ?? 0) }];
    const add = (values: (number | null)[], options: uPlot.Series) => {
      columns.push(values);
      series.push({ spanGaps: true, ...options });
    };
    chart.series.forEach((s, i) => {
      const values = xs.map((x) => lines[i]!.get(x) ?? null);
      const n = values.filter((v) => v !== null).length;
      const stroke = lineColour(chart, i);
      const noisy = n > 60 && chart.name !== 'lr';
      // The raw line stays visible, faintly, under its running mean.
      if (noisy)
        add(values, { class: 'raw', stroke: `${stroke}55`, width: 1, points: { show: false } });
      const shown = noisy ? smooth(values, n) : values;
      const last = shown.findLast((v) => v !== null);
      add(shown, {
        label: s.name,
        stroke,
        width: 2,
        points: { show: n <= 60, size: 6, fill: stroke, stroke },
        // Where a line has no point its last one before counts; away from the chart, its end.
        value: (_u, _v, _s, at) => {
          const v = at == null ? last : shown.slice(0, at + 1).findLast((x) => x !== null);
          return v == null ? '–' : text(v);
        },
      });
    });
    const soft = colour('--soft');
    const frame = {
      stroke: soft,
      font: '12px system-ui, sans-serif',
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const marks = [
      ...data.phases.slice(1).map((p) => ({ at: p[axis], label: p.name, colour: soft })),
      ...(data.best ? [{ at: data.best[axis], label: 'kept', colour: colour('--good') }] : []),
    ];
    const drawMarks = (u: uPlot) => {
      const { ctx, bbox } = u;
      const scale = devicePixelRatio;
      ctx.save();
      ctx.font = `${11 * scale}px system-ui, sans-serif`;
      ctx.textBaseline = 'top';
      marks.forEach((mark, i) => {
        const x = Math.round(u.valToPos(mark.at, 'x', true));
        if (x < bbox.left || x > bbox.left + bbox.width) return;
        ctx.strokeStyle = mark.colour;
        ctx.fillStyle = mark.colour;
        ctx.lineWidth = scale;
        ctx.setLineDash([3 * scale, 3 * scale]);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        // Names turn to the left where the right has no room; each has a row of its own.
        const left = x > bbox.left + bbox.width * 0.8;
        const at = [x + (left ? -4 : 4) * scale, bbox.top + (2 + 14 * (i % 3)) * scale] as const;
        ctx.textAlign = left ? 'right' : 'left';
        // A rim in the colour of the ground keeps a name readable where a line runs through it.
        ctx.setLineDash([]);
        ctx.lineWidth = 4 * scale;
        ctx.strokeStyle = colour('--card');
        ctx.strokeText(mark.label, ...at);
        ctx.fillText(mark.label, ...at);
      });
      ctx.restore();
    };
    const plot = new UPlot(
      {
        width: host.clientWidth,
        height: 224,
        padding: [10, 10, 0, 0],
        // The axis counts steps or epochs, not seconds since 1970.
        scales: { x: { time: false } },
        series,
        axes: [
          { ...frame, size: 30, values: (_, ticks) => ticks.map(text) },
          { ...frame, size: 54, values: (_, ticks) => ticks.map(text) },
        ],
        cursor: { sync: { key: axis }, points: { size: 7 }, y: false },
        hooks: { draw: [drawMarks] },
      },
      [xs, ...columns] as uPlot.AlignedData,
      host,
    );
    return plot;
  };

  const plots = new Map<HTMLElement, uPlot>();
  const show = (host: HTMLElement) => {
    if (host.clientWidth === 0) return;
    const plot = plots.get(host);
    if (plot) plot.setSize({ width: host.clientWidth, height: 224 });
    else plots.set(host, build(data.charts[Number(host.dataset.chart)]!, host));
  };
  const hosts = [...document.querySelectorAll<HTMLElement>('[data-chart]')];
  const again = () => {
    for (const plot of plots.values()) plot.destroy();
    plots.clear();
    hosts.forEach(show);
  };
  const watcher = new ResizeObserver((entries) => {
    for (const entry of entries) show(entry.target as HTMLElement);
  });
  for (const host of hosts) watcher.observe(host);
  for (const input of document.querySelectorAll('input[name="axis"]')) {
    input.addEventListener('change', again);
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
  // Paper is white.
  addEventListener('beforeprint', () => {
    document.documentElement.dataset.theme = 'light';
    again();
  });
  addEventListener('afterprint', () => {
    delete document.documentElement.dataset.theme;
    again();
  });
}
