/**
 * Loaded into a member's process before the server (`node --import`): its connections to others come from an address of
 * its own, so that a gate knows who dials, and its clocks can be set wrong while it runs.
 *
 *   WORLD_ADDRESS  an address of the loopback network
 *   WORLD_CLOCK    a file with `{"wallMs": N, "rate": R}`: the wall clock is N off, monotonic time runs R times as fast.
 *                  As long as it is not there, both clocks are right.
 */
import { readFileSync } from "node:fs";
import { Socket } from "node:net";

const LOOK_MS = 20;

const address = process.env["WORLD_ADDRESS"];
const clockFile = process.env["WORLD_CLOCK"];
if (address !== undefined) dialFrom(address);
if (clockFile !== undefined) setClocks(clockFile);

function dialFrom(localAddress: string): void {
  const connect = Socket.prototype.connect as (...args: unknown[]) => Socket;
  const from = function (this: Socket, ...args: unknown[]): Socket {
    // Node hands its own calls on as one list, whose first item is what was asked for.
    const first = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
    if (typeof first === "object" && first !== null && "port" in first) Object.assign(first, { localAddress });
    return connect.apply(this, args);
  };
  Socket.prototype.connect = from as typeof Socket.prototype.connect;
}

function setClocks(file: string): void {
  const [now, wall] = [performance.now.bind(performance), Date.now];
  let [wallMs, rate] = [0, 1];
  // Monotonic time never jumps: a new rate counts from here on.
  let [since, told] = [now(), now()];
  const monotonic = () => told + (now() - since) * rate;
  const look = () => {
    const clocks = read(file);
    if (clocks.rate !== rate) [told, since, rate] = [monotonic(), now(), clocks.rate];
    wallMs = clocks.wallMs;
  };
  look();
  setInterval(look, LOOK_MS).unref();
  Object.defineProperty(performance, "now", { value: monotonic });
  Date.now = () => wall() + wallMs;
}

function read(file: string): { wallMs: number; rate: number } {
  try {
    const { wallMs, rate } = JSON.parse(readFileSync(file, "utf8")) as { wallMs: number; rate: number };
    if (Number.isFinite(wallMs) && rate > 0) return { wallMs, rate };
  } catch {
    // Not there.
  }
  return { wallMs: 0, rate: 1 };
}
