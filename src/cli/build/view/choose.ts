import type { Context } from '../../command.ts';
import { safeOutput } from '../../format/safe-text.ts';
import { LiveView } from './live.ts';
import { PlainView } from './plain.ts';
import { QuietView, RawView } from './raw.ts';
import type { BuildView } from './view.ts';

/** What `--progress` may say. */
const modes = ['auto', 'tty', 'plain', 'rawjson', 'quiet', 'none'];

/** The view for what `--progress` says; all of them write to standard error. Throws an Error for a mode that is none. */
export function chooseView(mode: string, { stderr, env }: Pick<Context, 'stderr' | 'env'>): BuildView {
  const people = safeOutput(stderr, env);
  const canDraw = stderr.isTTY && Boolean(env['TERM']) && env['TERM'] !== 'dumb';
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  const live = (): BuildView => new LiveView(stderr, { unicode: /utf-?8/i.test(locale), people });
  switch (mode) {
    case 'auto':
      return canDraw ? live() : new PlainView(people);
    case 'tty':
      if (!stderr.isTTY)
        throw new Error('--progress tty needs a terminal on standard error; use --progress plain');
      if (!canDraw) {
        throw new Error(
          `--progress tty needs a terminal that can draw (TERM is ${JSON.stringify(env['TERM'] ?? '')}); use --progress plain`,
        );
      }
      return live();
    case 'plain':
      return new PlainView(people);
    case 'rawjson':
      return new RawView(stderr);
    case 'quiet':
    case 'none':
      return new QuietView(people);
    default:
      throw new Error(`invalid progress mode ${mode}: one of ${modes.join(', ')}`);
  }
}
