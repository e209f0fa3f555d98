import { createPrivateKey, type KeyObject, type webcrypto } from 'node:crypto';
import { ecCurves } from './ec-curves.ts';
import { SshReader } from './wire.ts';

/** A private key, and what people call it. */
export interface NamedKey {
  readonly key: KeyObject;
  readonly comment: string;
}

/** A key that is right but cannot be used like that; the message says what to do instead. */
export class UnusableKeyError extends Error {
  override readonly name = 'UnusableKeyError';
}

/** It is locked with a passphrase. */
export function encryptedKey(): UnusableKeyError {
  return new UnusableKeyError(
    'it is encrypted with a passphrase; add it to an agent with ssh-add, and leave the path away or give the socket of the agent',
  );
}

const magic = Buffer.from('openssh-key-v1\0');

/**
 * Reads what is inside of `BEGIN OPENSSH PRIVATE KEY` (PROTOCOL.key of OpenSSH). Throws an UnusableKeyError, or an Error that
 * tells what is wrong and nothing of the key.
 */
export function parseOpenSshKey(bytes: Buffer): NamedKey {
  if (!bytes.subarray(0, magic.length).equals(magic))
    throw new Error('it does not begin with openssh-key-v1');
  const outer = new SshReader(bytes.subarray(magic.length));
  const cipher = outer.text();
  // The name of the function that makes keys of passphrases, its options, and the number of keys.
  outer.string();
  outer.string();
  const count = outer.uint32();
  if (cipher !== 'none') throw encryptedKey();
  if (count !== 1) throw new Error(`it has ${count} keys instead of one`);
  outer.string();
  const inner = new SshReader(outer.string());
  if (inner.uint32() !== inner.uint32()) throw new Error('its check numbers differ');
  const key = createPrivateKey({ key: readJwk(inner), format: 'jwk' });
  return { key, comment: inner.text() };
}

function readJwk(reader: SshReader): webcrypto.JsonWebKey {
  const type = reader.text();
  const curve = ecCurves.find(({ sshType }) => sshType === type);
  if (curve !== undefined) return readEcdsa(reader, curve);
  if (type === 'ssh-rsa') return readRsa(reader);
  if (type === 'ssh-ed25519') return readEd25519(reader);
  if (type.startsWith('sk-')) {
    throw new UnusableKeyError(
      'it is the handle of a key on a hardware token; add it to an agent with ssh-add, and give the socket of the agent',
    );
  }
  throw new UnusableKeyError(
    `keys of type ${JSON.stringify(type)} are not supported; use ed25519, ecdsa or rsa`,
  );
}

function readEd25519(reader: SshReader): webcrypto.JsonWebKey {
  const x = reader.string();
  const both = reader.string();
  if (x.length !== 32 || both.length !== 64) throw new Error('its numbers have the wrong length');
  return { kty: 'OKP', crv: 'Ed25519', x: base64Url(x), d: base64Url(both.subarray(0, 32)) };
}

function readEcdsa(
  reader: SshReader,
  { sshName, jwkName, size }: (typeof ecCurves)[number],
): webcrypto.JsonWebKey {
  if (reader.text() !== sshName) throw new Error('its curve is not that of its type');
  const point = reader.string();
  // SEC 1, section 2.3.3: 4 is the mark of a point that is not compressed.
  if (point[0] !== 4 || point.length !== 1 + 2 * size) throw new Error('its point has the wrong form');
  const d = reader.unsigned();
  return {
    kty: 'EC',
    crv: jwkName,
    x: base64Url(point.subarray(1, 1 + size)),
    y: base64Url(point.subarray(1 + size)),
    d: base64Url(Buffer.concat([Buffer.alloc(Math.max(0, size - d.length)), d])),
  };
}

function readRsa(reader: SshReader): webcrypto.JsonWebKey {
  const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => reader.unsigned()) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const exponent = (prime: Buffer): Buffer => fromBigInt(toBigInt(d) % (toBigInt(prime) - 1n));
  const numbers = { n, e, d, p, q, dp: exponent(p), dq: exponent(q), qi };
  const fields = Object.entries(numbers).map(([name, value]) => [name, base64Url(value)]);
  return { kty: 'RSA', ...(Object.fromEntries(fields) as Record<string, string>) };
}

const base64Url = (bytes: Buffer): string => bytes.toString('base64url');
const toBigInt = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex') || '0'}`);

function fromBigInt(value: bigint): Buffer {
  const digits = value.toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
}
