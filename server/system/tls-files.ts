/**
 * Certificates and keys as they lie on disk. They are looked at for each new connection, so that a certificate or a CA
 * that was renewed is used without a restart. Files that cannot be used are told of once, and those read before stay.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext, type SecureContextOptions, type SecureVersion } from "node:tls";
import { WorldError } from "../base/error.ts";
import type { Logger } from "../ports/logger.ts";

export interface TlsFileSettings {
  readonly certFile: string;
  readonly keyFile: string;
  /** Who signs client certificates; "": the authorities that the runtime trusts. */
  readonly trustedCaFile: string;
  /** Certificates that their authorities have taken back (PEM); "" or absent: none are known. */
  readonly crlFile?: string;
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  /** OpenSSL's list for TLS 1.2; undefined: the runtime's choice. */
  readonly ciphers: string | undefined;
}

/** A certificate out of one of the files. */
export interface LoadedCertificate {
  /** "leaf": the one that is shown, without those between it and its authority. "authority": one that is trusted. */
  readonly kind: "leaf" | "authority";
  readonly file: string;
  /** Of its DER, 64 digits of lower-case hex. */
  readonly sha256: string;
  /** Seconds since 1970. */
  readonly notAfterSeconds: number;
}

/** Always on beside a list of ciphers, as in Go; without them Node would turn TLS 1.3 off. */
const TLS_1_3_CIPHERS = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

export class TlsFiles {
  readonly #settings: TlsFileSettings;
  readonly #logger: Logger;
  /** What was read last, or could not be. */
  #seen: string;
  /** What is in use. */
  options: SecureContextOptions;
  /** The certificates of `options`; another list after each reading. */
  loaded: readonly LoadedCertificate[];
  /** The files have changed and cannot be used: `options` are those read before. */
  isOutdated = false;

  /** Reads the files. Throws `WorldError`, which names the file and what is wrong with it. */
  constructor(settings: TlsFileSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
    this.#seen = this.#fingerprint();
    this.options = this.#read();
    this.loaded = this.#certificatesIn(this.options);
  }

  /** Reads the files again if they have changed. Whether `options` are new. */
  refresh(): boolean {
    const fingerprint = this.#fingerprint();
    if (fingerprint === this.#seen) return false;
    this.#seen = fingerprint;
    const { certFile, keyFile, trustedCaFile, crlFile = "" } = this.#settings;
    const fields = {
      "cert-file": certFile,
      "key-file": keyFile,
      "trusted-ca-file": trustedCaFile,
      ...(crlFile === "" ? {} : { "crl-file": crlFile }),
    };
    try {
      const options = this.#read();
      this.loaded = this.#certificatesIn(options);
      this.options = options;
      this.isOutdated = false;
    } catch (error) {
      this.isOutdated = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error("cannot use the changed TLS files; going on with those read before", {
        ...fields,
        error: reason,
      });
      return false;
    }
    this.#logger.info("the TLS files have changed; new connections use the new ones", fields);
    return true;
  }

  #certificatesIn({ cert, ca }: SecureContextOptions): readonly LoadedCertificate[] {
    const { certFile, trustedCaFile } = this.#settings;
    const [leaf = ""] = certificatesOf(String(cert));
    const authorities = ca === undefined ? [] : certificatesOf(String(ca));
    return [
      describe("leaf", certFile, leaf),
      ...authorities.map((authority) => describe("authority", trustedCaFile, authority)),
    ];
  }

  #files(): string[] {
    const { certFile, keyFile, trustedCaFile, crlFile = "" } = this.#settings;
    return [certFile, keyFile, trustedCaFile, crlFile].filter((path) => path !== "");
  }

  /** Changes when a file is written, replaced, or another one is put behind its name. */
  #fingerprint(): string {
    return this.#files()
      .map((path) => {
        const stat = statSync(path, { throwIfNoEntry: false });
        return stat === undefined ? "missing" : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
      })
      .join(" ");
  }

  #read(): SecureContextOptions {
    const { certFile, keyFile, trustedCaFile, crlFile = "", minVersion, maxVersion, ciphers } = this.#settings;
    const options: SecureContextOptions = {
      cert: readCertificates(certFile),
      key: readPem(keyFile),
      ...(trustedCaFile === "" ? {} : { ca: readCertificates(trustedCaFile) }),
      ...(crlFile === "" ? {} : { crl: readRevocations(crlFile) }),
      minVersion,
      maxVersion,
      ...(ciphers === undefined ? {} : { ciphers: `${ciphers}:${TLS_1_3_CIPHERS}` }),
    };
    try {
      createSecureContext(options);
    } catch (error) {
      throw new WorldError(`use the certificate "${certFile}" with the key "${keyFile}"`, error);
    }
    return options;
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new WorldError(`read "${path}"`, error);
  }
}

const REVOCATIONS = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g;

/** Each list on its own, as the runtime takes them. One that cannot be read would revoke nothing, so it is refused. */
function readRevocations(path: string): string[] {
  const lists = readPem(path).match(REVOCATIONS) ?? [];
  try {
    if (lists.length === 0) throw new Error("there is no PEM list of revoked certificates (X509 CRL) in it");
    for (const crl of lists) createSecureContext({ crl });
  } catch (error) {
    throw new WorldError(`read revoked certificates from "${path}"`, error);
  }
  return lists;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function certificatesOf(pem: string): readonly string[] {
  return pem.match(CERTIFICATE) ?? [];
}

function describe(kind: LoadedCertificate["kind"], file: string, pem: string): LoadedCertificate {
  const { fingerprint256, validTo } = new X509Certificate(pem);
  return {
    kind,
    file,
    sha256: fingerprint256.replaceAll(":", "").toLowerCase(),
    notAfterSeconds: Date.parse(validTo) / 1000,
  };
}

/** OpenSSL would pass over what it cannot read, and later trust nobody. */
function readCertificates(path: string): string {
  const text = readPem(path);
  const certificates = certificatesOf(text);
  try {
    if (certificates.length === 0) throw new Error("there is no PEM certificate in it");
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (error) {
    throw new WorldError(`read a certificate from "${path}"`, error);
  }
  return text;
}
