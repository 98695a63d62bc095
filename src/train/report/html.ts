/** HTML that cannot be broken out of: every text put into a template is escaped. */

/** A piece of finished HTML; only this file makes one. */
export class Html {
  readonly text: string;

  private constructor(text: string) {
    this.text = text;
  }

  /** @internal HTML whose safety the caller vouches for: styles and scripts of this folder. */
  static trusted(text: string): Html {
    return new Html(text);
  }
}

/** What may be put into a template: text is escaped, lists are joined, nothing is nothing. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text with the characters that mean something in HTML, in and out of attributes, made harmless. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c]!);
}

function write(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(write).join('');
  return escapeHtml(String(value));
}

/**
 * A template of HTML. Attribute values must stand in double quotes.
 * @example
 * html`<td title="${name}">${name}</td>`
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.trusted(String.raw({ raw: parts.map((p) => p) }, ...values.map(write)));
}

/**
 * Data for a script of the page, in a block that is never run. `<` is written so that no text can
 * close the block or open a comment.
 */
export function jsonBlock(id: string, data: unknown): Html {
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return html`<script type="application/json" id="${id}">${Html.trusted(json)}</script>`;
}
