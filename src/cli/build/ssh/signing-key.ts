import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { ecCurves } from './ec-curves.ts';
import { UnusableKeyError } from './openssh-key.ts';
import { sshString, sshUnsigned } from './wire.ts';

/** Flags of a request to sign, for RSA keys (draft-ietf-sshm-ssh-agent, "Signature flags"). */
const rsaSha256 = 2;
const rsaSha512 = 4;

/** A private key as SSH uses it. */
export interface SigningKey {
  /** The public key, by which clients name it (RFC 4253, section 6.6). */
  readonly blob: Buffer;
  /** Gives a signature in SSH's form: its algorithm, and what that makes. */
  sign(data: Uint8Array, flags: number): Buffer;
}

/** Makes a key usable. Throws an UnusableKeyError for one that SSH has no name for. */
export function signingKey(key: KeyObject): SigningKey {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const field = (name: 'n' | 'e' | 'x' | 'y'): Buffer => Buffer.from(jwk[name] ?? '', 'base64url');
  if (jwk.kty === 'RSA') {
    const blob = Buffer.concat([sshString('ssh-rsa'), sshUnsigned(field('e')), sshUnsigned(field('n'))]);
    return { blob, sign: (data, flags) => rsaSignature(key, data, flags) };
  }
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') {
    const type = sshString('ssh-ed25519');
    return {
      blob: Buffer.concat([type, sshString(field('x'))]),
      sign: (data) => Buffer.concat([type, sshString(sign(null, data, key))]),
    };
  }
  const curve = ecCurves.find(({ jwkName }) => jwk.kty === 'EC' && jwk.crv === jwkName);
  if (curve === undefined) {
    const name = [jwk.kty, jwk.crv].filter((part) => part !== undefined).join(' ');
    throw new UnusableKeyError(`SSH has no keys of the kind ${name}; use ed25519, ecdsa or rsa`);
  }
  const type = sshString(curve.sshType);
  const point = Buffer.concat([Buffer.of(4), field('x'), field('y')]);
  return {
    blob: Buffer.concat([type, sshString(curve.sshName), sshString(point)]),
    sign: (data) => {
      // Two numbers of the same length, which SSH wants as such.
      const both = sign(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' });
      const half = both.length / 2;
      const numbers = [sshUnsigned(both.subarray(0, half)), sshUnsigned(both.subarray(half))];
      return Buffer.concat([type, sshString(Buffer.concat(numbers))]);
    },
  };
}

/** Without a flag SHA-1, as the protocol says; only servers from before 2016 want that. */
function rsaSignature(key: KeyObject, data: Uint8Array, flags: number): Buffer {
  const [name, hash] =
    (flags & rsaSha512) !== 0
      ? (['rsa-sha2-512', 'sha512'] as const)
      : (flags & rsaSha256) !== 0
        ? (['rsa-sha2-256', 'sha256'] as const)
        : (['ssh-rsa', 'sha1'] as const);
  return Buffer.concat([sshString(name), sshString(sign(hash, data, key))]);
}
