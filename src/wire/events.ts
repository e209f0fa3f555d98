import type { StringMap } from './containers.ts';

/**
 * One line of `GET /events`. In JSON `timeNano` is a number that needs 61 bits: `encodeEvent` and `decodeEvent` keep
 * it exact, JSON.parse does not.
 */
export interface EventMessage {
  /** Of containers and images only, for old clients, as are the next two. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: StringMap };
  readonly scope: string;
  /** Seconds since 1970. */
  readonly time: number;
  /** Nanoseconds since 1970. */
  readonly timeNano: bigint;
}

/** The event as one JSON text without a newline. */
export function encodeEvent(event: EventMessage): string {
  const { timeNano, ...rest } = event;
  return `${JSON.stringify(rest).slice(0, -1)},"timeNano":${timeNano}}`;
}

/** The reverse of `encodeEvent`, for texts from a daemon that is trusted to keep to the format. */
export function decodeEvent(text: string): EventMessage {
  const parsed = JSON.parse(text) as Omit<EventMessage, 'timeNano'> & { readonly timeNano: number };
  // The field is the last one; a label that looks like it comes before it and has its quotes escaped.
  const exact = /"timeNano":(\d+)\}\s*$/.exec(text)?.[1];
  return { ...parsed, timeNano: exact === undefined ? BigInt(parsed.timeNano) : BigInt(exact) };
}
