/** Single samples: the worst ones, and where the model looked. */
import { metric, percent, plural } from './format.js';
import { isPicture } from './heat-map.js';
import { type Html, html } from './html.js';
import type { ReportAnswer, ReportAttention, ReportSample } from './report-data.js';
import { className, numberCell } from './tables.js';

function caption(names: readonly string[], s: ReportSample): Html {
  const predicted = className(names, s.predicted);
  const line =
    s.actual === s.predicted
      ? html`<span class="name took ok">${predicted}</span> ${percent(s.probability)}<br><span class="soft">right, but not sure</span>`
      : html`<span class="name took">${predicted}</span> ${percent(s.probability)}<br><span class="soft">is</span> <span class="name">${className(names, s.actual)}</span> <span class="soft">${percent(s.actualProbability)}</span>`;
  return html`<figcaption>${line}<span class="id name" title="${s.id}">${s.id}</span><span class="id">loss ${metric(s.loss)}</span></figcaption>`;
}

function picture(uri: string | undefined, alt: string): Html {
  return isPicture(uri)
    ? html`<img src="${uri}" alt="${alt}">`
    : html`<div class="blank" role="img" aria-label="no picture"></div>`;
}

/** Longer texts are shown up to here. */
const EXCERPT = 400;

function excerpt(text: string): string {
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)} …` : text;
}

/** Answers in words beside those that would be right; texts that have neither, by what they cost. */
export function answerSection(answers: readonly ReportAnswer[]): Html {
  const costly = answers.some((a) => a.loss !== undefined);
  const bare = answers.every((a) => a.expected === '' && a.answer === '');
  const said = costly
    ? `The ${plural(answers.length, 'sample')} that cost the model most, worst first. Wrong labels and odd cases gather here.`
    : 'Some of what the model made of the data, beside what the data says.';
  return html`<section id="answers"><h2>${bare ? 'Highest losses' : costly ? 'Worst answers' : 'Answers'}</h2>
    <p>${said}</p>
    <table><thead><tr><th>${bare ? 'text' : 'asked'}</th>${!bare && html`<th>expected</th><th>answer</th>`}${costly && html`<th class="number">loss</th>`}</tr></thead><tbody>${answers.map(
      (a) =>
        html`<tr><td class="name" title="${a.id}">${excerpt(a.asked)}</td>${!bare && html`<td class="name">${excerpt(a.expected)}</td><td class="name">${excerpt(a.answer)}</td>`}${costly && numberCell(a.loss ?? 0, metric(a.loss))}</tr>`,
    )}</tbody></table></section>`;
}

/** The samples that cost most. */
export function topLossSection(names: readonly string[], samples: readonly ReportSample[]): Html {
  const pictures = samples.some((s) => isPicture(s.thumbnail));
  return html`<section id="losses"><h2>Highest losses</h2>
    <p>The ${plural(samples.length, 'sample')} that cost the model most, worst first. Wrong labels and odd cases gather here.</p>
    <div class="gallery">${samples.map(
      (s) =>
        html`<figure>${pictures && picture(s.thumbnail, s.id)}${s.text !== undefined && html`<blockquote class="name">${excerpt(s.text)}</blockquote>`}${caption(names, s)}</figure>`,
    )}</div></section>`;
}

/**
 * Mistakes beside their heat maps.
 * @param overlays data URIs of the pictures under their maps, in the order of the samples
 */
export function attentionSection(
  names: readonly string[],
  samples: readonly ReportAttention[],
  overlays: readonly string[],
): Html {
  return html`<section id="attention"><h2>Where the model looked</h2>
    <p>The worst mistakes, and what in them spoke for the predicted class (Grad-CAM): the brighter, the more it counted.</p>
    <div class="gallery pairs">${samples.map(
      (s, i) =>
        html`<figure><div class="pair">${picture(s.thumbnail, s.id)}${picture(overlays[i], `heat map of ${s.id}`)}</div>${caption(names, s)}</figure>`,
    )}</div></section>`;
}
