/** Checkpoints whose weights are stored in fewer bits, and which only the library that packed them can unpack. */
import { ConfigError } from '../errors.js';
import type { RawConfig } from './define-model.js';

/** The library or format that a `quantization_config` names. */
function methodOf(quantization: unknown): string {
  const { quant_method, load_in_8bit, load_in_4bit } = Object(quantization) as RawConfig;
  const method = typeof quant_method === 'string' ? quant_method.slice(0, 40) : 'an unnamed method';
  // bitsandbytes has two, and older files name neither the library nor more than the flag.
  if (load_in_8bit === true) return 'bitsandbytes (8 bits)';
  if (load_in_4bit === true) return 'bitsandbytes (4 bits)';
  return method;
}

/**
 * Refuses a checkpoint whose `config.json` says that its weights are quantised: read as they are stored, they
 * would be other numbers.
 * @param name of the checkpoint, for the message
 * @throws ConfigError with the code `quantized`, naming the method
 */
export function requireUnquantized(raw: RawConfig, name: string): void {
  const quantization = Object.hasOwn(raw, 'quantization_config') ? raw.quantization_config : null;
  if (quantization === null || quantization === undefined) return;
  const method = methodOf(quantization);
  throw new ConfigError(
    `${name}: the weights are quantised by ${method} ('quantization_config' of config.json); expected floating-point weights. Take the model that was quantised, or write one out with transformers: model.dequantize() and save_pretrained.`,
    { name, field: 'quantization_config', method },
    'quantized',
  );
}
