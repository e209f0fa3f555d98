import type { ProgressMessage } from '#/wire/json-stream.ts';
import type { Output } from '../command.ts';
import type { ProgressView } from './show.ts';

/** Progress for files, pipes and terminals that can do nothing: the steps as lines, word for word as docker has them. */
export class PlainProgress implements ProgressView {
  readonly #output: Pick<Output, 'write'>;

  constructor(output: Pick<Output, 'write'>) {
    this.#output = output;
  }

  show({ id = '', status = '', stream, progressDetail }: ProgressMessage): void {
    const { current = 0, total = 0 } = progressDetail ?? {};
    // How far a step is does not count here, only that it began and ended.
    if (current > 0 || total > 0) return;
    this.#output.write(stream ?? `${id === '' ? '' : `${id}: `}${status}\n`);
  }

  end(): void {
    // Everything has been written.
  }
}
