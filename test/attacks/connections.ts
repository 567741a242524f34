/** Connections themselves, by the thousand. */
import { connect as connectTls } from "node:tls";
import { type Attack, flood, linger, NOTHING, type Scene, together } from "./attack.ts";
import type { RawClient, RawOptions } from "./raw-client.ts";

/** As many as fit into a usual limit of files together with the server's own. */
const MANY = 5000;
const SILENT_TLS = 3000;
const OPENING_AT_ONCE = 50;
const DEADLINE_SECONDS = 14;

/** Opens many and keeps them; tells how many were closed and how soon. */
async function crowd(scene: Scene, count: number, options: RawOptions): Promise<void> {
  const open: { readonly client: RawClient; readonly sinceMs: number }[] = [];
  let refused = 0;
  let slowestMs = 0;
  let closed = 0;
  await together(OPENING_AT_ONCE, async () => {
    while (open.length < count && !scene.over) {
      try {
        const client = await scene.open(options);
        const sinceMs = performance.now();
        open.push({ client, sinceMs });
        client.socket.once("close", () => {
          if (client.ended === "left") return;
          closed++;
          slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
        });
      } catch {
        refused++;
        await scene.pause(100);
      }
    }
  });
  while (!scene.over) await scene.pause(200);
  const soon = closed > 0 ? `, the last after ${(slowestMs / 1000).toFixed(1)} s` : "";
  scene.note(
    `${open.length} opened${refused > 0 ? `, ${refused} refused` : ""}, ${closed} closed by the server${soon}`,
  );
}

/** Handshakes as fast as they go, each with the session of the one before. */
async function handshakes(scene: Scene, port: number): Promise<void> {
  let session: Buffer | undefined;
  let done = 0;
  await together(8, async () => {
    while (!scene.over) {
      await new Promise<void>((resolve) => {
        const socket = connectTls({
          port,
          host: "127.0.0.1",
          rejectUnauthorized: false,
          ALPNProtocols: ["h2"],
          ...(session === undefined ? {} : { session }),
        });
        socket.once("session", (fresh: Buffer) => {
          session = fresh;
        });
        socket.once("secureConnect", () => {
          done++;
          socket.destroy();
        });
        socket.once("error", () => resolve());
        socket.once("close", () => resolve());
      });
    }
  });
  scene.note(`${done} handshakes`);
}

export const CONNECTIONS: readonly Attack[] = [
  { name: `${MANY} idle connections`, expect: "bounded", run: (scene) => crowd(scene, MANY, {}) },
  {
    name: `${MANY} connections that say nothing`,
    expect: "gone",
    leastSeconds: DEADLINE_SECONDS,
    run: (scene) => crowd(scene, MANY, { silent: true }),
  },
  {
    name: `${SILENT_TLS} silent TLS handshakes`,
    expect: "gone",
    over: "tls",
    leastSeconds: DEADLINE_SECONDS,
    run: (scene) => crowd(scene, SILENT_TLS, { silent: true, noTls: true }),
  },
  {
    name: "1000 idle connections (TLS)",
    expect: "bounded",
    over: "tls",
    run: (scene) => crowd(scene, 1000, {}),
  },
  {
    name: "storm of TLS handshakes, resumed",
    expect: "bounded",
    over: "tls",
    run: (scene) => handshakes(scene, scene.port),
  },
  {
    name: "garbage instead of a TLS handshake",
    expect: "gone",
    over: "tls",
    run: (scene) => together(20, () => linger(scene, { silent: true, noTls: true }, () => Buffer.alloc(2000, 0x16))),
  },
  {
    name: "HTTP/1 garbage",
    expect: "gone",
    run: (scene) =>
      together(20, (index) =>
        flood(
          scene,
          { silent: true },
          () => NOTHING,
          () => Buffer.alloc(20_000, index % 2 === 0 ? "GET / HTTP/1.1\r\n\0:::\r\n" : "\x01\x80\xff"),
        ),
      ),
  },
];
