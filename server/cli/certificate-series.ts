/**
 * Certificates that new connections use, set into their series before every scrape. The scrape looks at the files too:
 * who waits for a member to take in a new authority must not have to wait for somebody to connect.
 */
import type { Registry } from "../metrics/registry.ts";
import type { Series } from "../metrics/series.ts";
import type { LoadedCertificate } from "../system/tls-files.ts";

/** TLS files as they are in use. */
export interface LoadedFiles {
  readonly loaded: readonly LoadedCertificate[];
  /** They have changed and cannot be used: what was read before stays. */
  readonly isOutdated: boolean;
}

/** The TLS files of one kind of listener: "client", "client-http", "metrics", "peer", "peer-client". */
export interface CertificateUse {
  readonly listener: string;
  readonly files: LoadedFiles;
  /** Reads files that have changed, and has the listeners use them. */
  refresh(): void;
}

/** Certificates shown of each kind of listener; a bundle of all public authorities has more. `kvorum_tls_authorities` counts all. */
export const MAX_SHOWN = 100;

/** Has `registry` look at the files whenever somebody scrapes. */
export function scrapeCertificates(registry: Registry, series: Series, uses: readonly CertificateUse[]): void {
  const { tlsLoaded, tlsNotAfterSeconds, tlsAuthorities, tlsFilesUnusable } = series.kvorum;
  const shown = new Map<string, readonly LoadedCertificate[]>();
  registry.beforeScrape(() => {
    for (const { refresh } of uses) refresh();
    for (const { listener, files } of uses) tlsFilesUnusable.with(listener).set(files.isOutdated ? 1 : 0);
    if (uses.every(({ listener, files }) => shown.get(listener) === files.loaded)) return;
    tlsLoaded.clear();
    tlsNotAfterSeconds.clear();
    for (const { listener, files } of uses) {
      const { loaded } = files;
      shown.set(listener, loaded);
      tlsAuthorities.with(listener).set(loaded.filter(({ kind }) => kind === "authority").length);
      for (const { kind, file, sha256, notAfterSeconds } of loaded.slice(0, MAX_SHOWN)) {
        tlsLoaded.with(listener, kind, file, sha256).set(1);
        tlsNotAfterSeconds.with(listener, kind, sha256).set(notAfterSeconds);
      }
    }
  });
}
