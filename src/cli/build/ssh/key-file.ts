import { createPrivateKey } from 'node:crypto';
import { encryptedKey, type NamedKey, parseOpenSshKey, UnusableKeyError } from './openssh-key.ts';

/**
 * Reads a private key: OpenSSH's own format, or PEM with PKCS #8, PKCS #1 (RSA) or SEC 1 (ECDSA). Throws an Error that tells
 * what to do, and nothing of the key.
 */
export function parseKeyFile(text: string): NamedKey {
  if (/^(?:ssh-|ecdsa-|sk-)\S+ AAAA|^-----BEGIN (?:[A-Z0-9]+ )*PUBLIC KEY-----/m.test(text)) {
    throw new UnusableKeyError('it is a public key; give the file of the private key that belongs to it');
  }
  const pem = /^-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----\s*$([^]*?)^-----END \1-----\s*$/m.exec(text);
  if (pem === null) {
    throw new UnusableKeyError('it is no private key in a format of OpenSSH or in PEM (BEGIN … PRIVATE KEY)');
  }
  const [whole, label, body = ''] = pem;
  if (label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:.*ENCRYPTED/m.test(body)) throw encryptedKey();
  try {
    if (label === 'OPENSSH PRIVATE KEY') return parseOpenSshKey(Buffer.from(body, 'base64'));
    return { key: createPrivateKey(whole), comment: '' };
  } catch (error) {
    if (error instanceof UnusableKeyError) throw error;
    throw new UnusableKeyError(`it is damaged, or no key of a known kind (${label})`, { cause: error });
  }
}
