import { internal } from '#/base/errors.ts';
import { type Address, bindLibrary, cstring, type Memory } from '../libc.ts';

interface LibNftables {
  nft_ctx_new(flags: number): Address | null;
  nft_ctx_free(context: Address): void;
  nft_ctx_buffer_output(context: Address): number;
  nft_ctx_buffer_error(context: Address): number;
  nft_ctx_get_output_buffer(context: Address): string | null;
  nft_ctx_get_error_buffer(context: Address): string | null;
  nft_ctx_output_set_flags(context: Address, flags: number): void;
  nft_run_cmd_from_buffer(context: Address, commands: Memory): number;
}

const library: LibNftables = bindLibrary<LibNftables>('libnftables.so.1', {
  nft_ctx_new: 'void *nft_ctx_new(uint32_t)',
  nft_ctx_free: 'void nft_ctx_free(void *)',
  nft_ctx_buffer_output: 'int nft_ctx_buffer_output(void *)',
  nft_ctx_buffer_error: 'int nft_ctx_buffer_error(void *)',
  nft_ctx_get_output_buffer: 'const char *nft_ctx_get_output_buffer(void *)',
  nft_ctx_get_error_buffer: 'const char *nft_ctx_get_error_buffer(void *)',
  nft_ctx_output_set_flags: 'void nft_ctx_output_set_flags(void *, uint32_t)',
  nft_run_cmd_from_buffer: 'int nft_run_cmd_from_buffer(void *, const void *)',
});

const NFT_CTX_OUTPUT_JSON = 1 << 4;

/** A failed nft command. `message` has nft's own explanation, which shows the place in the command. */
export class NftablesError extends Error {
  readonly commands: string;

  constructor(commands: string, explanation: string) {
    super(`nft: ${explanation === '' ? 'command failed without an explanation' : explanation}`);
    this.name = 'NftablesError';
    this.commands = commands;
  }
}

/**
 * libnftables in this process: the language of nft(8), a fraction of a millisecond for a command. It works on the
 * network namespace in which it was opened. (Names of devices in "iif" and "oif" are looked up in the namespace in
 * which `run` is called: use "iifname" and "oifname".)
 */
export class Nftables implements Disposable {
  #context: Address | undefined;

  /** Opens a context in the present namespace; an EngineError of kind 'internal' when the library is missing. */
  constructor() {
    this.#context = newContext();
    const failed =
      library.nft_ctx_buffer_output(this.#context) !== 0 || library.nft_ctx_buffer_error(this.#context) !== 0;
    if (failed) {
      this[Symbol.dispose]();
      throw internal('libnftables cannot buffer its output');
    }
  }

  /**
   * Runs commands, several with newlines or semicolons between them, as one transaction: all or none take effect.
   * Throws NftablesError. Whatever goes into `commands` must have been validated: it is a language.
   */
  run(commands: string): void {
    this.#execute(commands, 0);
  }

  /** Runs a "list" command and returns nft's JSON, `{nftables: [...]}`; see libnftables-json(5). */
  listJson(command: string): unknown {
    const output = this.#execute(command, NFT_CTX_OUTPUT_JSON);
    return JSON.parse(output);
  }

  [Symbol.dispose](): void {
    if (this.#context === undefined) return;
    library.nft_ctx_free(this.#context);
    this.#context = undefined;
  }

  #execute(commands: string, flags: number): string {
    if (this.#context === undefined) throw new Error('this nftables context is closed');
    library.nft_ctx_output_set_flags(this.#context, flags);
    const result = library.nft_run_cmd_from_buffer(this.#context, cstring(commands));
    // Reading the buffers empties them.
    const output = library.nft_ctx_get_output_buffer(this.#context) ?? '';
    const explanation = library.nft_ctx_get_error_buffer(this.#context) ?? '';
    if (result !== 0) throw new NftablesError(commands, explanation.trim());
    return output;
  }
}

function newContext(): Address {
  let context: Address | null;
  try {
    context = library.nft_ctx_new(0);
  } catch (error) {
    throw internal('cannot load libnftables.so.1; install the package libnftables1', error);
  }
  if (context === null) throw internal('libnftables cannot open its netlink socket');
  return context;
}
