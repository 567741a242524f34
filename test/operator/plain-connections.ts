/** Connections to a server on this machine without TLS, for tests of the client. */
import { Agent } from "node:http";
import type { Connections } from "../../operator/runtime/rest-client.ts";

export interface PlainConnections {
  readonly connections: Connections;
  /** How often the client asked for new credentials. */
  readonly renewals: () => number;
  close(): void;
}

/** `token` is asked for each call. */
export function plainConnections(url: string, token: () => string | undefined = () => undefined): PlainConnections {
  const agent = new Agent({ keepAlive: true });
  let renewals = 0;
  return {
    connections: {
      async current() {
        const value = token();
        return {
          server: new URL(url),
          headers: value === undefined ? {} : { Authorization: `Bearer ${value}` },
          agent,
        };
      },
      renew() {
        renewals++;
      },
    },
    renewals: () => renewals,
    close: () => agent.destroy(),
  };
}
