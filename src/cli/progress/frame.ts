import { humanSize } from '#/base/units.ts';
import { displayWidth, ellipsis } from '../format/tabwriter.ts';
import type { Amount, Task, TaskList } from './tasks.ts';

/** What lines are drawn for. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  /** The terminal knows more than ASCII. */
  readonly unicode: boolean;
}

/** What a line says, before it is fitted to the width. */
interface Line {
  readonly label: string;
  readonly status: string;
  readonly bar?: Amount | undefined;
  readonly amount: string;
  readonly rate: string;
  readonly left: string;
}

type Column = keyof Line;

/** Columns by how much room there is; the first choice that fits. A bar takes what remains. */
const layouts: readonly (readonly Column[])[] = [
  ['label', 'status', 'bar', 'amount', 'rate', 'left'],
  ['label', 'status', 'bar', 'amount', 'rate'],
  ['label', 'status', 'bar', 'amount'],
  ['label', 'status', 'amount'],
  ['label', 'amount'],
  ['label'],
];
const widths: Readonly<Record<Column, number>> = {
  label: 12,
  status: 18,
  bar: 10,
  amount: 15,
  rate: 10,
  left: 6,
};
const maxBar = 40;

/**
 * The lines for things under way: one for each, as far as the screen is high enough, then what there is no room for and
 * the sum. No line is as wide as the screen, so none wraps.
 */
export function drawFrame(tasks: TaskList, screen: Screen, now: number): string[] {
  const all = tasks.all;
  const hasTotal = all.length > 1;
  // One line stays free for the cursor.
  const room = Math.max(1, screen.rows - 1 - (hasTotal ? 1 : 0));
  const shown = all.length <= room ? all : choose(all, room - 1);
  const lines = shown.map((task) => draw(taskLine(task, now), screen));
  if (shown.length < all.length && room > 1) lines.push(hiddenLine(all, shown, screen));
  if (hasTotal && (screen.rows > 2 || lines.length === 0)) lines.push(draw(totalLine(tasks, now), screen));
  return lines;
}

/** What was done, in one line, when everything is over. */
export function summary(tasks: TaskList, screen: Screen, now: number): string {
  const all = tasks.all;
  const there = all.filter((task) => task.wasThere).length;
  const count = `${all.length} ${all.length === 1 ? 'layer' : 'layers'}`;
  const known = there === 0 ? '' : there === all.length ? ', all there already' : `, ${there} there already`;
  const { current } = tasks.moved;
  const seconds = tasks.elapsed(now) / 1000;
  const speed = seconds > 0.05 ? ` (${humanSize(current / seconds, 3)}/s)` : '';
  const moved = current === 0 ? '' : `: ${humanSize(current, 3)} in ${seconds.toFixed(1)}s${speed}`;
  return cut(`${count}${known}${moved}`, screen);
}

/** The most telling ones, in their order: what moves, then what waits, then what is done. */
function choose(all: readonly Task[], room: number): readonly Task[] {
  const rank = (task: Task): number => (task.active ? 0 : task.done ? 2 : 1);
  const best = new Set(all.toSorted((a, b) => rank(a) - rank(b)).slice(0, room));
  return all.filter((task) => best.has(task));
}

function hiddenLine(all: readonly Task[], shown: readonly Task[], screen: Screen): string {
  const visible = new Set(shown);
  const hidden = all.filter((task) => !visible.has(task));
  const count = (word: string, test: (task: Task) => boolean): string[] => {
    const found = hidden.filter(test).length;
    return found === 0 ? [] : [`${found} ${word}`];
  };
  const parts = [
    ...count('under way', (task) => task.active),
    ...count('waiting', (task) => !task.active && !task.done),
    ...count('done', (task) => task.done),
  ];
  return cut(`${screen.unicode ? '…' : '...'} and ${hidden.length} more: ${parts.join(', ')}`, screen);
}

function taskLine(task: Task, now: number): Line {
  const { id, status, amount, units, moved, done } = task;
  const base: Line = { label: id, status, amount: '', rate: '', left: '' };
  if (done) return { ...base, amount: moved.total > 0 ? humanSize(moved.total, 3) : '' };
  if (units !== '') return { ...base, amount: amountText(amount, (value) => `${value}`, ` ${units}`) };
  if (!task.active) return base;
  return { ...base, bar: amount, ...numbers(amount, task.rate(now), true) };
}

function totalLine(tasks: TaskList, now: number): Line {
  const done = tasks.all.filter((task) => task.done).length;
  const { moved } = tasks;
  const complete = moved.total > 0 && moved.current >= moved.total;
  return {
    label: 'Total',
    status: `${done}/${tasks.all.length} done`,
    bar: moved.total > 0 ? moved : undefined,
    ...numbers(moved, moved.total === 0 || complete ? undefined : tasks.rate(now), tasks.totalIsKnown),
  };
}

function numbers(
  amount: Amount,
  rate: number | undefined,
  totalIsKnown: boolean,
): { amount: string; rate: string; left: string } {
  const left =
    rate === undefined || rate <= 0 || !totalIsKnown ? undefined : (amount.total - amount.current) / rate;
  return {
    amount: amountText(amount, (bytes) => humanSize(bytes, 3), totalIsKnown ? '' : '+'),
    rate: rate === undefined ? '' : `${humanSize(rate, 3)}/s`,
    left: left === undefined || left <= 0 ? '' : duration(left),
  };
}

function amountText({ current, total }: Amount, show: (value: number) => string, suffix: string): string {
  if (current === 0 && total === 0) return '';
  return `${show(current)}${total > 0 ? `/${show(total)}` : ''}${suffix}`;
}

/** Seconds for people: `7s`, `1m05s`, `2h03m`. */
function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 360_000) return `${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`;
  return '';
}

function draw(line: Line, screen: Screen): string {
  const room = screen.columns - 1;
  const layout = layouts.find(
    (columns) => columns.reduce((sum, column) => sum + widths[column] + 1, -1) <= room,
  ) ?? ['label'];
  const fixed = layout.reduce((sum, column) => sum + (column === 'bar' ? 0 : widths[column]) + 1, -1);
  const barWidth = Math.min(maxBar, room - fixed);
  const cells = layout.map((column) => {
    if (column === 'bar') return bar(line.bar, barWidth, screen);
    const text = fit(line[column], widths[column], screen);
    const pad = ' '.repeat(Math.max(0, widths[column] - displayWidth(text)));
    return column === 'label' || column === 'status' ? text + pad : pad + text;
  });
  return cut(cells.join(' ').trimEnd(), screen);
}

function bar(amount: Amount | undefined, width: number, { unicode }: Screen): string {
  if (amount === undefined || amount.total <= 0) return ' '.repeat(width);
  const filled = Math.floor(Math.min(1, amount.current / amount.total) * width);
  const [full, empty] = unicode ? ['━', '─'] : ['=', '-'];
  return full.repeat(filled) + empty.repeat(width - filled);
}

const fit = (text: string, width: number, { unicode }: Screen): string =>
  unicode ? ellipsis(text, width) : text.slice(0, width);

const cut = (text: string, screen: Screen): string => fit(text, Math.max(1, screen.columns - 1), screen);
