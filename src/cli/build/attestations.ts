import { parseGoBool } from '../flags/flag.ts';
import { parseAttributes } from './attributes.ts';
import type { BuildFlags } from './flags.ts';

/** What `--attest`, `--provenance` and `--sbom` ask for, by kind, with its options. Throws an Error. */
export function parseAttestations(
  flags: Pick<BuildFlags, 'attest' | 'provenance' | 'sbom'>,
): Readonly<Record<string, string>> {
  const texts = [
    ...flags.attest,
    ...(flags.provenance === '' ? [] : [`type=provenance,${shortForm(flags.provenance)}`]),
    ...(flags.sbom === '' ? [] : [`type=sbom,${shortForm(flags.sbom)}`]),
  ];
  const wanted = new Map<string, string>();
  for (const text of texts) {
    const { type, values } = parseAttributes('attest', text);
    if (type === '') throw new Error(`attestation type not specified: ${JSON.stringify(text)}`);
    if (!['provenance', 'sbom'].includes(type))
      throw new Error(`unknown attestation type ${JSON.stringify(type)}`);
    if (wanted.has(type)) throw new Error(`duplicate attestation field ${JSON.stringify(type)}`);
    const { disabled, ...options } = values;
    if (disabled !== undefined && parseGoBool(disabled || 'true') === undefined) {
      throw new Error(`invalid value ${JSON.stringify(disabled)} for disabled`);
    }
    if (parseGoBool(disabled === undefined ? 'false' : disabled || 'true') === true) continue;
    const fields = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    wanted.set(type, fields.join(','));
  }
  return Object.fromEntries(wanted);
}

/** `true`, `false`, or options. */
function shortForm(text: string): string {
  const on = parseGoBool(text);
  return on === undefined ? text : `disabled=${String(!on)}`;
}
