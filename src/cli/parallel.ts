import { messageOf } from '#/base/errors.ts';
import { type Context, ExitError } from './command.ts';

/** How many requests of one command are under way at once. */
const limit = 50;

/**
 * Does something to each of several things at once and prints their names in the order in which they were given, but
 * for those where `work` gives false. Then fails with all that went wrong.
 */
export async function forEachName(
  { stdout }: Pick<Context, 'stdout'>,
  names: readonly string[],
  work: (name: string) => Promise<false | undefined | void>,
): Promise<void> {
  const queue = [...names.entries()];
  const outcomes = names.map(() => Promise.withResolvers<Outcome>());
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, name] = next;
      // Settled with the failure itself: it is reported when its turn has come.
      outcomes[index]?.resolve(await attempt(() => work(name)));
    }
  };
  const workers = Array.from({ length: Math.min(limit, names.length) }, worker);
  const failures: string[] = [];
  for (const [index, name] of names.entries()) {
    const outcome = await outcomes[index]?.promise;
    if (outcome?.failure !== undefined) failures.push(outcome.failure);
    else if (outcome?.print === true) stdout.write(`${name}\n`);
  }
  await Promise.all(workers);
  if (failures.length > 0) throw new ExitError(1, failures.join('\n'));
}

interface Outcome {
  readonly failure?: string;
  readonly print?: boolean;
}

async function attempt(work: () => Promise<false | undefined | void>): Promise<Outcome> {
  try {
    return { print: (await work()) !== false };
  } catch (error) {
    return { failure: messageOf(error) };
  }
}
