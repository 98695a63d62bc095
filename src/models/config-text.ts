/** `config.json` as text that Python reads with the types it expects. */
import type { RawConfig } from './define-model.js';

/**
 * Fields that transformers declares as `float` and refuses as `int`, those of generation among them. JSON
 * knows one kind of number only, and JavaScript writes 1 where Python wrote 1.0.
 */
const FLOATS =
  /_(?:coefficient|range|eps|epsilon|momentum|init_value|ratio|layerdrop|std|penalty|cutoff)$|^(?:initializer_factor|temperature|(?:top|min|typical)_p)$/;

/** The text of a `config.json` or `generation_config.json`, indented, with a newline at its end. */
export function configText(config: RawConfig): string {
  const text = JSON.stringify(config, null, 2);
  // Two blanks: fields of the configuration itself. A string holds no line break.
  const fields = text.replace(/^( {2}"(\w+)": -?\d+)(,?)$/gm, (line, field, name, comma) =>
    FLOATS.test(name) ? `${field}.0${comma}` : line,
  );
  return `${fields}\n`;
}
