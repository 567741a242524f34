/** Where a connection comes from, for people and log lines. */
import type { Socket } from "node:net";

/** As Go prints it: "10.0.0.1:4711", "[::1]:4711"; "@" for the nameless other end of a socket file, or one long gone. */
export function remoteAddressText({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return "@";
  const host = remoteAddress.startsWith("::ffff:") ? remoteAddress.slice("::ffff:".length) : remoteAddress;
  return host.includes(":") ? `[${host}]:${remotePort}` : `${host}:${remotePort}`;
}
