import { constants } from 'node:os';
import { invalid } from './errors.ts';

/** The kernel's range of real-time signals as the C library leaves it. */
const rtMin = 34;
const rtMax = 64;

/** The number of a signal given as "KILL", "SIGKILL", "9", "RTMIN+3" or "RTMAX-1"; throws `invalid signal: X`. */
export function signalNumber(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number === 0) throw invalid(`invalid signal: ${text}`);
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const known = (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  if (known !== undefined) return known;
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime !== null) {
    const base = realTime[1] === 'MIN' ? rtMin : rtMax;
    const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1);
    if (base + offset >= rtMin && base + offset <= rtMax) return base + offset;
  }
  throw invalid(`invalid signal: ${text}`);
}

/** Whether the kernel knows a signal of this number. */
export function isKernelSignal(number: number): boolean {
  return number >= 1 && number <= rtMax;
}
