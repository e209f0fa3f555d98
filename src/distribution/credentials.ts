/**
 * What somebody shows a registry. An identity token is what a token service gave in exchange for a password; it buys
 * tokens for requests. A registry token is such a token itself. None of them is ever logged or part of a message.
 */
export type OwnCredentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'identityToken'; readonly username?: string; readonly token: string }
  | { readonly kind: 'registryToken'; readonly token: string };

/** Who somebody wants to be for a registry: with credentials, or by somebody else who has some and keeps them. */
export type Credentials = OwnCredentials | { readonly kind: 'delegated'; readonly delegate: Delegate };

/** Somebody who has credentials for a registry. */
export interface Delegate {
  /** Gets a token himself; undefined if he cannot. The caller has checked that the realm may be believed. */
  token(
    request: DelegatedRequest,
    options: { readonly signal: AbortSignal },
  ): Promise<DelegatedToken | undefined>;
  /** Gives them away, for a registry that wants nothing less. */
  credentials(options: { readonly signal: AbortSignal }): Promise<OwnCredentials>;
}

/** Which token is wanted, of which service. */
export interface DelegatedRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
}

/** A token that somebody has got. */
interface DelegatedToken {
  readonly token: string;
  /** Seconds that it is good for. */
  readonly life: number;
}

/** The value of `Authorization` for a name and a password (RFC 7617). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
