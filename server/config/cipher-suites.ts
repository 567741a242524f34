/** Cipher suites by the names that Go and IANA give them, and by OpenSSL's, which Node takes. TLS 1.2 only. */
const OPENSSL_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: "ECDHE-ECDSA-CHACHA20-POLY1305",
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: "ECDHE-ECDSA-AES128-SHA256",
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: "ECDHE-RSA-CHACHA20-POLY1305",
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: "ECDHE-RSA-AES128-SHA256",
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
    TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
    TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
    TLS_RSA_WITH_AES_128_CBC_SHA: "AES128-SHA",
    TLS_RSA_WITH_AES_128_CBC_SHA256: "AES128-SHA256",
    TLS_RSA_WITH_AES_256_CBC_SHA: "AES256-SHA",
  }),
);

/** TLS 1.3's suites cannot be chosen in Go, so naming them there has no effect; here neither. */
const TLS_1_3: ReadonlySet<string> = new Set([
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
]);

/**
 * OpenSSL's list for the suites named, in their order; undefined when none is named and the runtime may choose. Throws
 * an Error for a name that is not known.
 */
export function opensslCiphers(names: readonly string[]): string | undefined {
  const ciphers = new Set<string>();
  for (const name of names) {
    const cipher = OPENSSL_NAMES.get(name);
    if (cipher !== undefined) ciphers.add(cipher);
    else if (!TLS_1_3.has(name)) throw new Error(`unexpected TLS cipher suite "${name}"`);
  }
  return ciphers.size === 0 ? undefined : [...ciphers].join(":");
}
