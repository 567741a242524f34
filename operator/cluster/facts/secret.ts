/** What a plan knows of a Secret: what its content is like, never the content. */
import { ANNOTATIONS } from "../../api/names.ts";
import { CLIENT_TRUST_KEY, TLS_KEYS } from "../../api/tls-names.ts";
import { type Certificate, certificatesIn } from "../../certificates/pem.ts";
import type { SecretFacts } from "../../plan/observation.ts";
import { shortHash } from "../../resources/short-hash.ts";
import type { KubeObject } from "../../runtime/kube.ts";

export interface SecretJson extends KubeObject {
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** A Secret that holds no certificates that can be read has a hash alone. */
export function secretFacts(secret: SecretJson): SecretFacts {
  const data = secret.data ?? {};
  const [leaf] = certificatesOf(secret, TLS_KEYS.certificate);
  const authorities = data[TLS_KEYS.ca];
  const trusted = certificatesOf(secret, data[CLIENT_TRUST_KEY] === undefined ? TLS_KEYS.ca : CLIENT_TRUST_KEY);
  const rotation = secret.metadata.annotations?.[ANNOTATIONS.rotation];
  return {
    ...(rotation === undefined ? {} : { rotation }),
    hash: hashOf(Object.entries(data)),
    caHash: authorities === undefined ? undefined : hashOf([[TLS_KEYS.ca, authorities]]),
    notBefore: leaf?.notBefore,
    notAfter: leaf?.notAfter,
    fingerprints: [
      ...new Set([...(leaf === undefined ? [] : [leaf]), ...trusted].map(({ fingerprint }) => fingerprint)),
    ],
  };
}

/** The text under a key; nothing when it is not there or is no base64. */
export function textIn({ data }: SecretJson, key: string): string | undefined {
  const encoded = data?.[key];
  if (encoded === undefined) return undefined;
  try {
    return atob(encoded);
  } catch {
    return undefined;
  }
}

function certificatesOf(secret: SecretJson, key: string): readonly Certificate[] {
  const text = textIn(secret, key);
  if (text === undefined) return [];
  try {
    return certificatesIn(text, key);
  } catch {
    return [];
  }
}

/** 16 digits of lower-case hex, whatever the order of the entries. */
function hashOf(entries: readonly (readonly [string, string])[]): string {
  return shortHash(JSON.stringify([...entries].sort(([left], [right]) => (left < right ? -1 : 1))));
}
