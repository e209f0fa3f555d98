import { humanSize } from '#/base/units.ts';

/** Characters of the bar between its brackets. */
const width = 50;

/** Docker's bar for a number of bytes: `[==>   ]  32.77kB/1.108MB`. Empty if neither number is known. */
export function progressBar({ current, total }: { current: number; total: number }): string {
  if (current <= 0 && total <= 0) return '';
  if (total <= 0) return humanSize(current).padStart(8);
  const done = Math.min(width, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const bar = `[${'='.repeat(done)}>${' '.repeat(width - done)}]`;
  const numbers = humanSize(current).padStart(8);
  // More than everything is shown without the total, which it contradicts.
  return current > total ? `${bar} ${numbers}` : `${bar} ${numbers}/${humanSize(total)}`;
}
