const million = 1_000_000n;

let offset = BigInt(Date.now()) * million - process.hrtime.bigint();
let last = 0n;

/**
 * The wall clock in nanoseconds since 1970, finer than Date and strictly increasing within this process (unless the
 * clock is set back), so that values order what happened.
 */
export function nowNano(): bigint {
  const wall = BigInt(Date.now()) * million;
  let now = process.hrtime.bigint() + offset;
  const drift = now - wall;
  if (drift < -million || drift > 2n * million) {
    offset += wall - now;
    now = wall;
    if (last > wall + 1000n * million) last = 0n;
  }
  last = now > last ? now : last + 1n;
  return last;
}

/** `2006-01-02T15:04:05.000000000Z`: RFC 3339 with all nine digits, so that text order is time order. */
export function rfc3339Nano(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / million)).toISOString().slice(0, 19);
  return `${seconds}.${String(nanoseconds % (1000n * million)).padStart(9, '0')}Z`;
}

/** The present in the form of `rfc3339Nano`. */
export function nowText(): string {
  return rfc3339Nano(nowNano());
}
