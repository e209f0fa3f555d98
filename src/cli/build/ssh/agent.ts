/** An SSH agent as far as steps may use it. */
export interface SshAgent {
  /** Begins a client's connection to it. */
  open(): SshAgentConnection;
}

/** Messages of one client, which are answered one after the other. */
export interface SshAgentConnection extends Disposable {
  /** The answer to a message that steps may send; both without their length. Rejects if there will be no more. */
  answer(message: Buffer): Promise<Buffer>;
}

/** Kinds of messages (draft-ietf-sshm-ssh-agent, "Message numbers"). */
export const agentMessage = {
  failure: 5,
  requestIdentities: 11,
  identitiesAnswer: 12,
  signRequest: 13,
  signResponse: 14,
  extension: 27,
} as const;

/** The longest message that OpenSSH's agent takes. Bytes. */
export const maxAgentMessage: number = 256 * 1024;
