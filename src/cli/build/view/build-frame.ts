import { safeLine } from '../../format/safe-text.ts';
import { displayWidth, ellipsis } from '../../format/tabwriter.ts';
import type { Screen } from '../../progress/frame.ts';
import { partText } from './plain.ts';
import type { Step, Steps } from './steps.ts';

/** How steps are marked. */
interface Marks {
  readonly done: string;
  readonly running: string;
  readonly failed: string;
}

const unicodeMarks: Marks = { done: '✔', running: '▸', failed: '✘' };
const asciiMarks: Marks = { done: '+', running: '>', failed: '!' };

/**
 * The lines for a build under way: the sum, then a line for each step, and below those that run what they said last. Where
 * there is no room for all, those that run come first, then what they say, then the latest of the others. No line is as wide
 * as the screen.
 */
export function drawBuild(steps: Steps, screen: Screen, now: number): string[] {
  const begun = steps.all.filter(({ number }) => number > 0).sort((a, b) => a.number - b.number);
  if (begun.length === 0 || screen.rows < 2) return [];
  // One line is the sum, one stays free for the cursor.
  const room = Math.max(0, screen.rows - 2);
  const running = latest(
    begun.filter((step) => step.isRunning),
    room,
  );
  const details = running
    .map((step) => [step, detailOf(step, now)] as const)
    .filter(([, detail]) => detail !== '')
    .slice(0, room - running.length);
  const others = latest(
    begun.filter((step) => !step.isRunning),
    room - running.length - details.length,
  );
  const shown = new Set([...running, ...others]);
  const told = new Map(details);
  const lines = begun
    .filter((step) => shown.has(step))
    .flatMap((step) => {
      const detail = told.get(step);
      const line = stepLine(step, screen, now);
      return detail === undefined ? [line] : [line, cut(`     ${detail}`, screen)];
    });
  return [cut(head(steps, begun, now), screen), ...lines];
}

/** The last so many. */
const latest = (steps: readonly Step[], count: number): readonly Step[] =>
  count > 0 ? steps.slice(-count) : [];

/** What was done, in one line, when everything has gone well. */
export function buildSummary(steps: Steps, screen: Screen, now: number): string {
  const begun = steps.all.filter(({ number }) => number > 0);
  const cached = begun.filter((step) => step.cached).length;
  const mark = marksOf(screen).done;
  return cut(
    `${mark} built in ${elapsed(begun, now).toFixed(1)}s: ${count(begun.length)}${cached === 0 ? '' : `, ${cached} cached`}`,
    screen,
  );
}

const count = (number: number): string => `${number} ${number === 1 ? 'step' : 'steps'}`;
const marksOf = ({ unicode }: Screen): Marks => (unicode ? unicodeMarks : asciiMarks);

function head({ all }: Steps, begun: readonly Step[], now: number): string {
  const done = begun.filter(({ completed }) => completed !== undefined).length;
  const running = begun.filter((step) => step.isRunning).length;
  const more = running > 1 ? `, ${running} at work` : '';
  return `building ${elapsed(begun, now).toFixed(1)}s, ${done} of ${count(all.length)} done${more}`;
}

/** Seconds since the first step began. */
function elapsed(begun: readonly Step[], now: number): number {
  const first = Math.min(...begun.map(({ started = now }) => started));
  return begun.length === 0 ? 0 : Math.max(0, now - first) / 1000;
}

function stepLine(step: Step, screen: Screen, now: number): string {
  const marks = marksOf(screen);
  const failed = step.vertex.error !== undefined && step.vertex.error !== '';
  const mark = failed ? marks.failed : step.isRunning ? marks.running : marks.done;
  const time = step.cached ? 'cached' : failed ? 'failed' : `${step.seconds(now).toFixed(1)}s`;
  const width = screen.columns - 1 - time.length - 1;
  const text = width < 10 ? '' : fit(` ${mark} ${visible(step.vertex.name)}`, width, screen);
  const gap = ' '.repeat(Math.max(1, width - displayWidth(text) + 1));
  return cut(text === '' ? time : text + gap + time, screen);
}

/** A part under way, or the last line of output. */
function detailOf(step: Step, now: number): string {
  const open = [...step.parts.values()].filter(({ completed }) => completed === undefined).at(-1);
  return visible(open === undefined ? step.lastLine : partText(open, now));
}

const visible = (text: string): string => safeLine(text).replaceAll('\t', ' ').trimEnd();

/** A terminal that knows only ASCII gets nothing else; what it would make of it has no known width. */
const fit = (text: string, width: number, { unicode }: Screen): string =>
  unicode ? ellipsis(text, width) : text.replaceAll(/[^\u0020-\u007e]/gu, '?').slice(0, width);

const cut = (text: string, screen: Screen): string => fit(text, Math.max(1, screen.columns - 1), screen);
