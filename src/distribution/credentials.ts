/**
 * Who somebody wants to be for a registry. An identity token is what a token service gave in exchange for a password; it buys
 * tokens for requests. A registry token is such a token itself. None of them is ever logged or part of a message.
 */
export type Credentials =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'identityToken'; readonly username?: string; readonly token: string }
  | { readonly kind: 'registryToken'; readonly token: string };

/** The value of `Authorization` for a name and a password (RFC 7617). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
