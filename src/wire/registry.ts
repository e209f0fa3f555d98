import type { OciDescriptor, OciPlatform } from './images.ts';

/** Who asks a registry: body of `POST /auth`, and as JSON in base64url the header `X-Registry-Auth`. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  /** `username:password` in base64, as config files have it. */
  readonly auth?: string;
  readonly serveraddress?: string;
  /** A refresh token that a login gave in place of a password. */
  readonly identitytoken?: string;
  /** A bearer token, sent as it is. */
  readonly registrytoken?: string;
}

/** Answer of `POST /auth`. */
export interface AuthResponse {
  /** Empty if the password has to be kept instead. */
  readonly IdentityToken: string;
  readonly Status: string;
}

/** One repository of `GET /images/search`. */
export interface SearchResult {
  readonly star_count: number;
  readonly is_official: boolean;
  readonly name: string;
  readonly is_automated: boolean;
  readonly description: string;
}

/** Answer of `GET /distribution/{name}/json`. */
export interface DistributionInspect {
  readonly Descriptor: OciDescriptor;
  /** null: what the name means is not an image. */
  readonly Platforms: readonly OciPlatform[] | null;
}
