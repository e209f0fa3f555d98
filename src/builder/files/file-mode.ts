import { invalid } from '#/base/errors.ts';

/** Changes the permissions of a file (07777), as `--chmod` says. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const all = 0o777;
const classes: Readonly<Record<string, { readonly mask: number; readonly shift: number }>> = {
  u: { mask: 0o4700, shift: 6 },
  g: { mask: 0o2070, shift: 3 },
  o: { mask: 0o1007, shift: 0 },
};
const permissions: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };

/**
 * Reads the permissions of `--chmod`: octal digits, or changes as chmod(1) has them (`u=rwX,go-w`). Unlike there, no umask
 * takes part. Throws `invalid`.
 */
export function parseModeChange(text: string): ModeChange {
  if (/^0*[0-7]{1,4}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return () => mode;
  }
  if (/^[0-9]/.test(text)) {
    throw invalid(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
  }
  const changes = text.split(',').flatMap((clause) => parseClause(clause, text));
  return (mode, isDirectory) => changes.reduce((now, change) => change(now, isDirectory), mode);
}

function parseClause(clause: string, text: string): ModeChange[] {
  const match = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/.exec(clause);
  if (match === null) {
    throw invalid(`invalid chmod parameter: ${JSON.stringify(text)} is not like "u=rwX,go-w"`);
  }
  const [, who = '', actions = ''] = match;
  const whom = who === '' || who.includes('a') ? 'ugo' : who;
  return [...actions.matchAll(/([-+=])([ugo]|[rwxXst]*)/g)].map(([, operator = '', what = '']) =>
    changeOf(whom, operator, what),
  );
}

function changeOf(who: string, operator: string, what: string): ModeChange {
  const mask = who.split('').reduce((bits, name) => bits | (classes[name]?.mask ?? 0), 0);
  return (mode, isDirectory) => {
    const bits = bitsOf(what, mode, isDirectory) & mask;
    if (operator === '-') return mode & ~bits;
    if (operator === '+') return mode | bits;
    // What is copied from another class has no set-id bits.
    return (mode & ~(isCopy(what) ? mask & all : mask)) | bits;
  };
}

function isCopy(what: string): boolean {
  return /^[ugo]$/.test(what);
}

function bitsOf(what: string, mode: number, isDirectory: boolean): number {
  const copied = isCopy(what) ? classes[what] : undefined;
  if (copied !== undefined) return ((mode >> copied.shift) & 7) * 0o111;
  const runs = isDirectory || (mode & 0o111) !== 0;
  return what
    .split('')
    .reduce((bits, name) => bits | (name === 'X' ? (runs ? 0o111 : 0) : (permissions[name] ?? 0)), 0);
}
