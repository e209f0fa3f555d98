/** The curves of ECDSA keys that SSH knows (RFC 5656, section 10.1), by their names in the worlds that meet here. */
export const ecCurves: readonly {
  readonly sshType: string;
  readonly sshName: string;
  readonly jwkName: string;
  /** Of a coordinate. Bytes. */
  readonly size: number;
  /** The digest that signatures are made of. */
  readonly hash: string;
}[] = [
  { sshType: 'ecdsa-sha2-nistp256', sshName: 'nistp256', jwkName: 'P-256', size: 32, hash: 'sha256' },
  { sshType: 'ecdsa-sha2-nistp384', sshName: 'nistp384', jwkName: 'P-384', size: 48, hash: 'sha384' },
  { sshType: 'ecdsa-sha2-nistp521', sshName: 'nistp521', jwkName: 'P-521', size: 66, hash: 'sha512' },
];
