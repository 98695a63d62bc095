/** Single samples: the worst ones, and where the model looked. */
import { metric, percent, plural } from './format.js';
import { isPicture } from './heat-map.js';
import { type Html, html } from './html.js';
import type { ReportAttention, ReportSample } from './report-data.js';
import { className } from './tables.js';

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

/** The samples that cost most. */
export function topLossSection(names: readonly string[], samples: readonly ReportSample[]): Html {
  const pictures = samples.some((s) => isPicture(s.thumbnail));
  return html`<section id="losses"><h2>Highest losses</h2>
    <p>The ${plural(samples.length, 'sample')} that cost the model most, worst first. Wrong labels and odd cases gather here.</p>
    <div class="gallery">${samples.map(
      (s) => html`<figure>${pictures && picture(s.thumbnail, s.id)}${caption(names, s)}</figure>`,
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
