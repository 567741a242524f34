/**
 * Which certificates a member has loaded, from its metrics. A file that has changed is not yet a certificate that is
 * used; a rotation goes on only when every member says that it has the new one.
 */
import { get, type IncomingMessage } from "node:http";
import { EtcdRefusal, type LoadedFingerprints } from "./etcd-admin.ts";

/** Metrics of a member are some hundred kilobytes. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * The series that says it: one for each certificate and kind of listener ("client", "peer", "peer-client" ...), with the
 * SHA-256 of its DER form.
 */
const SERIES = /^kvorum_tls_certificate_loaded\{([^}]*)\} 1(?:\s|$)/gm;
const LISTENER = /(?:^|,)listener="([^"]*)"/;
const SHA256 = /(?:^|,)sha256="([0-9a-f]{64})"/;

/** What `text`, Prometheus' exposition, says is loaded. Each fingerprint once. */
export function fingerprintsIn(text: string): LoadedFingerprints {
  const byListener = new Map<string, Set<string>>();
  for (const [, labels = ""] of text.matchAll(SERIES)) {
    const [listener, fingerprint] = [LISTENER.exec(labels)?.[1], SHA256.exec(labels)?.[1]];
    if (listener === undefined || fingerprint === undefined) continue;
    const known = byListener.get(listener) ?? new Set();
    byListener.set(listener, known.add(fingerprint));
  }
  const [peers = new Set<string>(), ...dialing] = [...byListener]
    .filter(([name]) => name.startsWith("peer"))
    .map(([, set]) => set);
  return {
    client: [...(byListener.get("client") ?? [])],
    peer: [...peers].filter((fingerprint) => dialing.every((set) => set.has(fingerprint))),
  };
}

/** Asks `url` (`http://10.0.0.7:2381/metrics`), once. Rejects with an `EtcdRefusal`. */
export async function readLoadedCertificates(url: string, timeoutMs: number): Promise<LoadedFingerprints> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return fingerprintsIn(await body(await answer(url, signal)));
  } catch (error) {
    if (error instanceof EtcdRefusal) throw error;
    const why = signal.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message;
    throw new EtcdRefusal("unknown", `metrics of ${url}: ${why}`);
  }
}

function answer(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { signal, agent: false }, resolve).once("error", reject);
  });
}

async function body(response: IncomingMessage): Promise<string> {
  if (response.statusCode !== 200) {
    response.resume();
    throw new EtcdRefusal("other", `metrics were answered with HTTP ${response.statusCode}`);
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BYTES) throw new EtcdRefusal("other", `metrics are longer than ${MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
