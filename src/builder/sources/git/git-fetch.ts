import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { notFound } from '#/base/errors.ts';
import { type Git, GitFailure } from './git-program.ts';
import type { GitWork } from './git-work.ts';

/** Brings a commit into a bare repository. */
export class Fetch {
  readonly #parts: { git: Git; repository: string; remote: string; work: GitWork };

  constructor(parts: { git: Git; repository: string; remote: string; work: GitWork }) {
    this.#parts = parts;
  }

  async has(commit: string): Promise<boolean> {
    const { git, repository, work } = this.#parts;
    try {
      const args = [`--git-dir=${repository}`, 'cat-file', '-e', `${commit}^{commit}`];
      await git.output({ args, signal: work.signal });
      return true;
    } catch (error) {
      if (error instanceof GitFailure) return false;
      throw error;
    }
  }

  /** Only the commit where the remote can do that: by its name, then by its id; else everything. */
  async run(commit: string, ref: string | undefined): Promise<void> {
    const shallow = ['--depth=1'];
    const ways: (readonly string[])[] = [];
    if (ref !== undefined) ways.push([...shallow, ref]);
    ways.push([...shallow, commit], ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*']);
    for (const [index, way] of ways.entries()) {
      const isLast = index === ways.length - 1;
      const all =
        isLast && existsSync(join(this.#parts.repository, 'shallow')) ? ['--unshallow', ...way] : way;
      try {
        await this.#fetch(all);
      } catch (error) {
        if (!(error instanceof GitFailure)) throw error;
        if (isLast) throw error;
      }
      if (await this.has(commit)) return;
    }
    throw notFound(`repository ${this.#parts.remote} does not contain commit ${commit}`);
  }

  async #fetch(what: readonly string[]): Promise<void> {
    const { git, repository, remote, work } = this.#parts;
    const options = what.filter((word) => word.startsWith('--'));
    const refs = what.filter((word) => !word.startsWith('--'));
    const args = [
      `--git-dir=${repository}`,
      'fetch',
      '--no-tags',
      '--no-write-fetch-head',
      '--progress',
      ...options,
    ];
    await git.output({
      args: [...args, '--', remote, ...refs],
      signal: work.signal,
      onMessage: work.onMessage,
    });
  }
}
