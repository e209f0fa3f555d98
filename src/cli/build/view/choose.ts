import type { Context } from '../../command.ts';
import { LiveView } from './live.ts';
import { PlainView } from './plain.ts';
import { QuietView, RawView } from './raw.ts';
import type { BuildView } from './view.ts';

/** The view for what `--progress` says; all of them write to standard error. Throws an Error for a mode that is none. */
export function chooseView(mode: string, { stderr, env }: Pick<Context, 'stderr' | 'env'>): BuildView {
  const canDraw = stderr.isTTY && Boolean(env['TERM']) && env['TERM'] !== 'dumb';
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  const live = (): BuildView => new LiveView(stderr, { unicode: /utf-?8/i.test(locale) });
  switch (mode) {
    case 'auto':
      return canDraw ? live() : new PlainView(stderr);
    case 'tty':
      if (!canDraw) throw new Error('--progress tty needs a terminal on standard error');
      return live();
    case 'plain':
      return new PlainView(stderr);
    case 'rawjson':
      return new RawView(stderr);
    case 'quiet':
    case 'none':
      return new QuietView(stderr);
    default:
      throw new Error(`invalid progress mode ${mode}`);
  }
}
