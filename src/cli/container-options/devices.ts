import { isAbsolute } from 'node:path';
import type { DeviceMapping, DeviceRequest } from '#/wire/containers.ts';

/** What `--device` and `--gpus` ask for. */
export interface DeviceOptions {
  readonly mappings: readonly DeviceMapping[];
  readonly requests: readonly DeviceRequest[] | null;
}

/** `vendor/class=name`, the Container Device Interface's names. */
const cdiName = /^[A-Za-z0-9][\w.-]*\/[A-Za-z][\w-]*=[A-Za-z0-9][\w.:-]*$/;

/** Parses `--device` and `--gpus`. Throws an Error in docker's words. */
export function parseDevices(devices: readonly string[], gpus: string): DeviceOptions {
  const names = devices.filter((device) => cdiName.test(device));
  const requests = [
    ...(gpus === '' ? [] : [gpuRequest(gpus)]),
    ...(names.length === 0
      ? []
      : [{ Driver: 'cdi', Count: 0, DeviceIDs: names, Capabilities: null, Options: null }]),
  ];
  return {
    mappings: devices.filter((device) => !cdiName.test(device)).map(parseDevice),
    requests: requests.length === 0 ? null : requests,
  };
}

function gpuRequest(text: string): DeviceRequest {
  if (text !== 'all' && !/^\d{1,9}$/.test(text)) {
    throw new Error(`invalid argument ${JSON.stringify(text)} for "--gpus": give "all" or a number`);
  }
  return {
    Driver: '',
    Count: text === 'all' ? -1 : Number(text),
    DeviceIDs: null,
    Capabilities: [['gpu']],
    Options: {},
  };
}

function isMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

function parseDevice(text: string): DeviceMapping {
  const [source = '', second, third, ...more] = text.split(':');
  if (more.length > 0 || source === '') throw new Error(`bad format for path: ${text}`);
  if (third !== undefined && !isMode(third)) throw new Error(`bad mode specified: ${third}`);
  const secondIsMode = third === undefined && second !== undefined && isMode(second);
  const target = second === undefined || secondIsMode ? source : second;
  if (!isAbsolute(target)) throw new Error(`${target} is not an absolute path`);
  return {
    PathOnHost: source,
    PathInContainer: target,
    CgroupPermissions: third ?? (secondIsMode ? second : 'rwm'),
  };
}
