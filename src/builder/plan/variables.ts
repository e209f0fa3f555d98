import { expandWord, type Variables } from '#/dockerfile/expand.ts';
import type { ArgInstruction } from '#/dockerfile/instruction.ts';
import type { Dockerfile } from '#/dockerfile/parse.ts';

/** Programs look for proxies in these; they are passed on without an ARG, and neither history nor cache know them. */
const proxyNames: readonly string[] = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** The proxies among the build arguments, NAME=value, each by the name that was given. */
export function proxyEnv(args: ReadonlyMap<string, string>): string[] {
  return [...args]
    .filter(([name]) => proxyNames.includes(name.toUpperCase()))
    .map(([name, value]) => `${name}=${value}`);
}

/** What one ARG of a stage comes to. Undefined value: it has none. */
export interface ArgValue {
  readonly name: string;
  readonly value: string | undefined;
}

/** Evaluates an ARG in a stage: build argument, default, or what the ARG of that name before the first FROM has. */
export function argValues(
  { args }: ArgInstruction,
  scope: {
    readonly given: ReadonlyMap<string, string>;
    readonly global: ReadonlyMap<string, string>;
    readonly variables: Variables;
    readonly escape: Dockerfile['escape'];
  },
): { readonly values: readonly ArgValue[]; readonly shown: readonly string[] } {
  const values: ArgValue[] = [];
  const shown: string[] = [];
  const known = new Map<string, string>();
  const variables: Variables = { get: (name) => known.get(name) ?? scope.variables.get(name) };
  for (const { name, value } of args) {
    const own = value === undefined ? undefined : expandWord(value, variables, { escape: scope.escape });
    const given = scope.given.get(name);
    const result = given ?? own ?? scope.global.get(name);
    if (result !== undefined) known.set(name, result);
    values.push({ name, value: result });
    shown.push(result === undefined ? name : `${name}=${result}`);
  }
  return { values, shown };
}
