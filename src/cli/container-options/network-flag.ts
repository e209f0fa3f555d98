import { parseCsvLine } from '#/base/csv.ts';

/** A network to join, with how. */
export interface NetworkAttachment {
  readonly target: string;
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly linkLocal: readonly string[];
  readonly mac: string;
  readonly gatewayPriority: number;
}

/** Joining a network without wishes. */
export function plainAttachment(target: string): NetworkAttachment {
  return {
    target,
    aliases: [],
    links: [],
    driverOptions: {},
    ipv4: '',
    ipv6: '',
    linkLocal: [],
    mac: '',
    gatewayPriority: 0,
  };
}

/** Parses `--network NAME` or `--network name=NAME,alias=…,ip=…`. Throws an Error in docker's words. */
export function parseNetworkFlag(text: string): NetworkAttachment {
  if (!/\w+=\w+/.test(text)) return plainAttachment(text);
  let attachment = plainAttachment('');
  for (const field of parseCsvLine(text)) {
    const [key, value] = split(field.toLowerCase()) ?? [];
    if (key === undefined || value === undefined) throw new Error(`invalid field ${field}`);
    attachment = { ...attachment, ...change(attachment, key, value) };
  }
  if (attachment.target === '') throw new Error('network name/id is not specified');
  return attachment;
}

function split(text: string): readonly [string, string] | undefined {
  const at = text.indexOf('=');
  return at <= 0 ? undefined : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function change(before: NetworkAttachment, key: string, value: string): Partial<NetworkAttachment> {
  switch (key) {
    case 'name':
      return { target: value };
    case 'alias':
      return { aliases: [...before.aliases, value] };
    case 'ip':
      return { ipv4: value };
    case 'ip6':
      return { ipv6: value };
    case 'mac-address':
      return { mac: value };
    case 'link-local-ip':
      return { linkLocal: [...before.linkLocal, value] };
    case 'driver-opt': {
      const pair = split(value);
      if (pair === undefined) throw new Error('invalid key value pair format in driver options');
      return { driverOptions: { ...before.driverOptions, [pair[0]]: pair[1] } };
    }
    case 'gw-priority':
      if (!/^[+-]?\d{1,15}$/.test(value)) throw new Error(`invalid gw-priority (${value}): invalid syntax`);
      return { gatewayPriority: Number(value) };
    default:
      throw new Error(`invalid field key ${key}`);
  }
}
