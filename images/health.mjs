/**
 * HEALTHCHECK of the server's image, for those who run it without Kubernetes: exit code 0 while the process and its event
 * loop live. Whether it serves, leads or is cut off from the others is no reason to kill it. Where clients must use TLS
 * a handshake is the answer that counts, whoever's certificates these are.
 *
 *     KVORUM_HEALTH_URL   of the client or metrics listener, http://127.0.0.1:2379 when not given
 */
import { get } from "node:http";
import { connect } from "node:tls";

const LIMIT_MS = 3000;
const url = new URL(process.env["KVORUM_HEALTH_URL"] ?? "http://127.0.0.1:2379");

setTimeout(() => end(`no answer from ${url.href} within ${LIMIT_MS} ms`), LIMIT_MS);
if (url.protocol === "https:") greet();
else
  get(new URL("/livez", url), ({ statusCode }) => end(statusCode === 200 ? undefined : `/livez: ${statusCode}`)).on(
    "error",
    (error) => (error.code === "ECONNREFUSED" ? end(error.message) : greet()),
  );

function greet() {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  connect({ host, port: Number(url.port || 2379), rejectUnauthorized: false }, () => end(undefined)).on(
    "error",
    (error) => end(error.message),
  );
}

function end(problem) {
  if (problem !== undefined) process.stderr.write(`${problem}\n`);
  process.exit(problem === undefined ? 0 : 1);
}
