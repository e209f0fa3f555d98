import { forbidden, unavailable } from '#/base/errors.ts';
import { hostnameOf, isInternal, isLoopback } from './addresses.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import type { RegistryHost } from './hosts.ts';
import { shownUrl } from './shown-url.ts';

/**
 * Where tokens come from, if that may be believed. A registry names the place itself, so whoever can answer in its stead could
 * have passwords sent to him (CVE-2026-33540): a realm must be the registry's own host or one of the same organisation's
 * (its name ends in the same domain), or be configured. It must use TLS unless the registry does without, and a registry outside
 * cannot name an address of an inner network. Without credentials any outside realm will do.
 */
export function realmOf(challenge: Challenge, host: RegistryHost, credentials: Credentials): URL {
  const text = challenge.parameters.get('realm') ?? '';
  if (!URL.canParse(text)) throw unavailable(`the registry ${host.name} names no valid realm for its tokens`);
  const realm = new URL(text);
  realm.username = '';
  realm.password = '';
  const refuse = (reason: string): Error => refusal(realm, host, reason);
  if (realm.protocol !== 'https:' && realm.protocol !== 'http:') throw refuse('it is not a URL of HTTP');
  if (realm.protocol === 'http:' && host.base.protocol === 'https:' && !host.insecure) {
    throw refuse('it does without TLS, unlike the registry; nothing was sent there');
  }
  const own = hostnameOf(host.base.host);
  const other = hostnameOf(realm.host);
  const isOwn = own === other || (isLoopback(own) && isLoopback(other)) || isListed(realm, host);
  if (!isOwn && isInternal(other) && !isInternal(own)) {
    throw refuse('it is an address of an inner network, the registry is not; nothing was sent there');
  }
  if (credentials.kind !== 'anonymous' && !isOwn && organisation(own) !== organisation(other)) {
    throw refuse(`that is another host, so the credentials were not sent. ${realmAdvice(realm, host)}`);
  }
  return realm;
}

/**
 * Judges the address that the name of a realm really leads to, when there is a connection: who names the place can also have the
 * name lead anywhere, and elsewhere each time. Throws for an inner network if the registry that sent the challenge is not in one,
 * unless the realm is configured.
 */
export function realmGuard(
  realm: URL,
  host: RegistryHost,
  { from }: Challenge,
): ((address: string) => void) | undefined {
  // Behind a proxy only the registry's name is known.
  if (isListed(realm, host) || isInternal(from ?? hostnameOf(host.base.host))) return undefined;
  return (address) => {
    if (!isInternal(address)) return;
    throw refusal(
      realm,
      host,
      `it leads to ${address}, an address of an inner network, the registry does not; nothing was sent there. ${realmAdvice(realm, host)}`,
    );
  };
}

/** Tells whether a host is configured to be one of the registry's. */
export function isListed({ host }: URL, { realms }: RegistryHost): boolean {
  return realms.some((name) => name === host || name === hostnameOf(host));
}

function refusal(realm: URL, { name }: RegistryHost, reason: string): Error {
  return forbidden(`the registry ${name} asks to get tokens at "${shownUrl(realm)}": ${reason}`);
}

/** What to do where a host is refused that belongs to the registry. */
export function realmAdvice({ host }: URL, { domain }: RegistryHost): string {
  return `If it belongs to the registry, add "${hostnameOf(host)}" to "realms" of "${domain}" in "registries" of daemon.json`;
}

/** Second-level names under which countries give out domains: `co.uk`, `com.au`. */
const sharedSuffix = /^(?:ac|co|com|edu|gov|net|or|org)\.[a-z]{2}$/;
/** Domains below which each name belongs to somebody else. */
const hostingSuffix =
  /^(?:amazonaws\.com|azurewebsites\.net|cloudapp\.net|cloudfront\.net|github\.io|herokuapp\.com|pages\.dev|run\.app|web\.app|windows\.net|workers\.dev)$/;

/** The part of a name that was bought: `docker.io` of `auth.docker.io`. Addresses and single words are only themselves. */
function organisation(hostname: string): string {
  if (isInternal(hostname) || /^[\d.]+$|:/.test(hostname)) return hostname;
  const labels = hostname.split('.');
  const two = labels.slice(-2).join('.');
  if (hostingSuffix.test(two)) return hostname;
  return sharedSuffix.test(two) ? labels.slice(-3).join('.') : two;
}
