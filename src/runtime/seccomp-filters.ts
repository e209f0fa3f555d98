import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import type { OciSeccomp, RuntimeSpec } from '#/oci/runtime-spec.ts';

/** Takes a compiled filter instead of making one from linux.seccomp (crun 1.5 and later). */
const annotation = 'run.oci.seccomp_bpf_data';

/** BPF_MAXINSNS of the kernel, 8 bytes each. */
const maxFilterBytes = 4096 * 8;
/** Distinct filters to remember: they depend on profile and capabilities only, so that few are in use. */
const capacity = 64;

/**
 * Remembers the system call filters that crun compiled. Compiling Docker's list takes libseccomp some 15 ms, most of
 * the time of starting a container; crun's own cache is missing in Debian's build (it needs libgcrypt). crun leaves each
 * compiled filter in the container's state folder and accepts it again for the next container.
 */
export class SeccompFilters {
  readonly #root: string;
  /** Base64 by hash of the rules; in the order of their last use. */
  readonly #filters = new Map<string, string>();

  /** `root` is crun's state folder. */
  constructor(root: string) {
    this.#root = root;
  }

  /** The spec with its filter compiled, if it is known. */
  apply(spec: RuntimeSpec): RuntimeSpec {
    const { seccomp } = spec.linux;
    if (seccomp === undefined) return spec;
    const key = keyOf(seccomp);
    const filter = this.#filters.get(key);
    if (filter === undefined) return spec;
    this.#filters.delete(key);
    this.#filters.set(key, filter);
    return {
      ...spec,
      annotations: { ...spec.annotations, [annotation]: filter },
      // Without the rules, which crun would only parse. Should it ever ignore the filter, everything is denied.
      linux: { ...spec.linux, seccomp: { ...seccomp, syscalls: [] } },
    };
  }

  /** Remembers the filter of the container `id` that crun has made from `spec`. */
  learn(id: string, spec: RuntimeSpec): void {
    const { seccomp } = spec.linux;
    if (seccomp === undefined) return;
    const key = keyOf(seccomp);
    if (this.#filters.has(key)) return;
    const filter = this.#read(id);
    if (filter === undefined) return;
    if (this.#filters.size >= capacity) {
      const [oldest] = this.#filters.keys();
      if (oldest !== undefined) this.#filters.delete(oldest);
    }
    this.#filters.set(key, filter.toString('base64'));
  }

  #read(id: string): Buffer | undefined {
    try {
      const filter = readFileSync(join(this.#root, id, 'seccomp.bpf'));
      return filter.length > 0 && filter.length <= maxFilterBytes && filter.length % 8 === 0
        ? filter
        : undefined;
    } catch (error) {
      // Another runtime, or a container that is gone already: then the next one compiles again.
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }
}

function keyOf(seccomp: OciSeccomp): string {
  return createHash('sha256').update(JSON.stringify(seccomp)).digest('hex');
}
