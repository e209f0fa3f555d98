/** What an `Authorization` header says (RFC 9110, section 11.6.2). */
export type Authorization =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string }
  /** It is there but cannot be understood; `problem` is for the log and has nothing secret. */
  | { readonly kind: 'malformed'; readonly problem: string };

const maxLength = 32 * 1024;

/** Reads the header; whatever it holds, this returns. */
export function parseAuthorization(header: string | undefined): Authorization {
  if (header === undefined) return { kind: 'none' };
  if (header.length > maxLength) return malformed('it is too long');
  const [, scheme = '', rest = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) +([^ ]+) *$/.exec(header) ?? [];
  switch (scheme.toLowerCase()) {
    case 'basic':
      return basic(rest);
    case 'bearer':
      // RFC 6750, section 2.1: b64token.
      if (!/^[\w.~+/-]+=*$/.test(rest))
        return malformed('the bearer token has characters that none can have');
      return { kind: 'bearer', token: rest };
    case '':
      return malformed('it is not of the form "<scheme> <credentials>"');
    default:
      return malformed('its scheme is neither Basic nor Bearer');
  }
}

/** RFC 7617: base64 of `user:password` in UTF-8; the name has no colon, neither has control characters. */
function basic(encoded: string): Authorization {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return malformed('the basic credentials are no base64');
  const bytes = Buffer.from(encoded, 'base64');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return malformed('the basic credentials are no UTF-8');
  }
  const colon = text.indexOf(':');
  if (colon < 0) return malformed('the basic credentials have no colon');
  if (/\p{Cc}/u.test(text)) return malformed('the basic credentials have control characters');
  return { kind: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function malformed(problem: string): Authorization {
  return { kind: 'malformed', problem };
}
