/** report.html: one file that needs nothing else, not even a network (Node). */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { writeWhole } from '../../io/index.node.js';
import { calibrationSection } from './calibration-section.js';
import { type Chart, chartsOf, phasesOf } from './chart-data.js';
import { classSection, groupSection } from './class-section.js';
import { confusionSection } from './confusion-section.js';
import { namingOf, plural } from './format.js';
import { overlay } from './heat-map.js';
import { Html, html, jsonBlock } from './html.js';
import { type ChartData, drawCharts } from './page-charts.js';
import { paintMatrix, sortTables } from './page-tables.js';
import type { ReportData } from './report-data.js';
import { heading, results } from './result.js';
import { dataSection, runSection } from './run-section.js';
import { answerSection, attentionSection, topLossSection } from './sample-sections.js';
import { scatterSection } from './scatter-section.js';
import { STYLE } from './style.js';

/** uPlot as a page takes it, with the licence that asks to be kept with it. */
async function plotLibrary() {
  const dist = dirname(createRequire(import.meta.url).resolve('uplot'));
  const [script, style, licence] = await Promise.all(
    ['uPlot.iife.min.js', 'uPlot.min.css', '../LICENSE'].map((f) =>
      readFile(join(dist, f), 'utf8'),
    ),
  );
  return { script: `/*\n${licence}*/\n${script}`, style: style! };
}

/** Where a name is kept by the tool that compiled this file, it wraps functions in a helper of this name. */
const KEEP_NAMES = 'const __name = (f) => f;';

function chartSection(charts: readonly Chart[], main: string | undefined): Html {
  const card = (chart: Chart) =>
    html`<div class="card chart"><h3 class="name">${chart.title}</h3><div class="plot" data-chart="${charts.indexOf(chart)}"></div></div>`;
  const leads = ['loss', main, 'lr'];
  const shown = charts.filter((c) => leads.includes(c.name));
  const others = charts.filter((c) => !leads.includes(c.name));
  const choice = (value: string, checked: boolean) =>
    html`<label><input type="radio" name="axis" value="${value}"${checked && Html.trusted(' checked')}>by ${value}</label>`;
  return html`<section id="curves"><h2>Training</h2>
    <p>Faint lines are single steps, strong ones their running mean. Drag to look closer, double-click to go back.</p>
    <div class="segmented" role="radiogroup" aria-label="Axis">${choice('step', true)}${choice('epoch', false)}</div>
    <div class="charts">${shown.map(card)}</div>
    ${others.length > 0 && html`<details><summary>${plural(others.length, 'more curve')}: ${others.map((c) => c.title).join(', ')}</summary><div class="charts">${others.map(card)}</div></details>`}
    <noscript><p>The curves need scripts to be allowed.</p></noscript></section>`;
}

/**
 * The page as text.
 * @throws ConfigError when a heat map or its picture is damaged
 */
export async function renderReport(data: ReportData): Promise<string> {
  const {
    classes,
    calibration,
    topLosses = [],
    answers = [],
    attention = [],
    log,
    metrics,
    best,
  } = data;
  const names = classes?.names ?? [];
  const overlays = await Promise.all(attention.map(overlay));
  const main = metrics[0]?.name;
  const naming = namingOf(
    data.run.task,
    metrics.map((m) => m.name),
  );
  const charts = chartsOf(log, ['loss', ...(main ? [main] : [])], naming);
  const parts: (readonly [id: string, title: string, body: Html])[] = [
    ['result', 'Result', results(data)],
  ];
  if (charts.length > 0) parts.push(['curves', 'Training', chartSection(charts, main)]);
  if (classes) {
    parts.push(['confusion', 'Confusions', confusionSection(classes)]);
    parts.push(['classes', 'Classes', classSection(classes)]);
  }
  if (data.groups) parts.push(['groups', 'Details', groupSection(data.groups)]);
  if (data.scatter && data.scatter.expected.length > 0) {
    parts.push(['scatter', 'Numbers', scatterSection(data.scatter)]);
  }
  if (calibration) parts.push(['calibration', 'Probabilities', calibrationSection(calibration)]);
  if (topLosses.length > 0) parts.push(['losses', 'Losses', topLossSection(names, topLosses)]);
  if (answers.length > 0) parts.push(['answers', 'Answers', answerSection(answers)]);
  if (attention.length > 0) {
    parts.push(['attention', 'Attention', attentionSection(names, attention, overlays)]);
  }
  parts.push(['data', 'Data', dataSection(data)], ['repeat', 'Repeat', runSection(data)]);

  const library = await plotLibrary();
  const chartData: ChartData = { charts, phases: phasesOf(log), best: best ?? null };
  const scripts = [
    library.script,
    `{ ${KEEP_NAMES}
(${drawCharts})(JSON.parse(document.getElementById('chart-data').textContent), uPlot);
(${sortTables})();
(${paintMatrix})(); }`,
  ];
  // Nothing but these very scripts may run and nothing may be fetched, should escaping ever fail.
  const allowed = scripts.map((s) => `'sha256-${createHash('sha256').update(s).digest('base64')}'`);
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${allowed.join(' ')}; base-uri 'none'; form-action 'none'`;
  const links = parts.map(([id, title]) => html`<a href="#${id}">${title}</a>`);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="graftml">
<link rel="icon" href="data:,">
<title>${data.title}</title>
<style>${Html.trusted(library.style)}${Html.trusted(STYLE)}</style>
</head>
<body>
<div class="page">
${heading(data, links)}
${parts.map(([, , body]) => body)}
<footer>Made by Graft. This file holds everything it shows.</footer>
</div>
${jsonBlock('chart-data', chartData)}
${scripts.map((s) => html`<script>${Html.trusted(s)}</script>`)}
</body>
</html>
`;
  return page.text;
}

/**
 * Writes the report of a run, whole or not at all.
 * @throws ConfigError when a heat map or its picture is damaged
 * @example
 * await writeReport('runs/ants/report.html', data);
 */
export async function writeReport(path: string, data: ReportData): Promise<void> {
  await writeWhole(path, [Buffer.from(await renderReport(data))]);
}
