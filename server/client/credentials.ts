/** What a client shows and asks for over TLS. */
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { ChannelCredentials } from "@grpc/grpc-js";

export interface ClientTls {
  /** PEM texts. Without `ca` the runtime's own authorities are trusted. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Whose certificate it must be, when that is not the endpoint's host. */
  readonly serverName?: string | undefined;
}

/** What grpc-js has and does not say; its version is pinned. */
interface Connecting {
  _createSecureConnector(...parts: unknown[]): { connectionOptions?: { servername?: string } };
}

/** `address`: "host:port" as it is connected to. */
export function tlsCredentials(tls: ClientTls | undefined, address: string): ChannelCredentials {
  const pem = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
  const name = tls?.serverName ?? address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  const files = [pem(tls?.ca), pem(tls?.key), pem(tls?.cert)] as const;
  if (isIP(name) === 0) return ChannelCredentials.createSsl(...files);
  const verify = {
    checkServerIdentity: (_asked: string, certificate: PeerCertificate) => checkServerIdentity(name, certificate),
  };
  return withoutName(ChannelCredentials.createSsl(...files, verify));
}

/** An address is no server name (RFC 6066, section 3): Go sends none, grpc-js would, and Node warns of it. */
function withoutName(credentials: ChannelCredentials): ChannelCredentials {
  const inside = credentials as unknown as Connecting;
  const connector = inside._createSecureConnector.bind(credentials);
  inside._createSecureConnector = (...parts) => {
    const made = connector(...parts);
    delete made.connectionOptions?.servername;
    return made;
  };
  return credentials;
}
