/** The C library's function, as Bun lends it. */
type GetXattr = (
  ...args: readonly [path: Uint8Array, name: Uint8Array, value: Uint8Array, size: number]
) => bigint;

/** What of Bun's own module is used here. */
interface BunFfi {
  readonly dlopen: (
    library: string,
    symbols: object,
  ) => { readonly symbols: { readonly lgetxattr: GetXattr } };
}

/** Gives the capabilities of a program as the kernel keeps them; undefined for none. */
export type CapabilityReader = (path: string) => Uint8Array | undefined;

const attribute = Buffer.from('security.capability\0');
/** Bytes of the longest value (linux/capability.h, vfs_ns_cap_data), with room. */
const longest = 64;

/**
 * Reads the capabilities of programs. Neither Node nor Bun has a function for extended attributes, but Bun can call the C library:
 * the binary sends them with the build context, as Docker's command does; run by Node, `skiff build` sends none.
 */
export async function capabilityReader(): Promise<CapabilityReader> {
  if (process.versions['bun'] === undefined) return () => undefined;
  // Not to be found by Node, nor by its types.
  const module: string = 'bun:ffi';
  const { dlopen } = (await import(module)) as BunFfi;
  const { symbols } = dlopen('libc.so.6', {
    lgetxattr: { args: ['cstring', 'cstring', 'ptr', 'usize'], returns: 'i64' },
  });
  const value = new Uint8Array(longest);
  return (path) => {
    const length = Number(symbols.lgetxattr(Buffer.from(`${path}\0`), attribute, value, longest));
    return length > 0 ? value.slice(0, length) : undefined;
  };
}
