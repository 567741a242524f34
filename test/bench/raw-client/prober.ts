/** Asks for one key again and again, one request in flight, and remembers the longest that it had to wait. */
import { type ConnectionUser, RawConnection, type Target } from "./connection.ts";
import { Latencies } from "./latencies.ts";
import { SHAPES } from "./shapes.ts";

export interface Waited {
  readonly count: number;
  readonly p50Us: number;
  readonly maxMs: number;
}

export class Prober {
  readonly failed: Promise<never>;
  readonly #connection: RawConnection;
  readonly #latencies = new Latencies();
  #sentAtMs = 0;

  static async start(target: Target): Promise<Prober> {
    const user: { done: () => void } & ConnectionUser = { data: () => {}, done: () => {}, room: () => {} };
    const prober = new Prober(await RawConnection.open(target, user));
    const head = prober.#connection.head(SHAPES["range serializable"].method.path);
    const { bytes } = SHAPES["range serializable"].template();
    const send = () => {
      prober.#sentAtMs = performance.now();
      prober.#connection.request(head, bytes);
      prober.#connection.flush();
    };
    user.done = () => {
      prober.#latencies.add(performance.now() - prober.#sentAtMs);
      send();
    };
    send();
    return prober;
  }

  private constructor(connection: RawConnection) {
    this.#connection = connection;
    this.failed = connection.failed;
  }

  /** What was waited since this was last asked, the request that is still waiting too. */
  take(): Waited {
    const latencies = this.#latencies;
    const waitingMs = performance.now() - this.#sentAtMs;
    const waited = {
      count: latencies.count,
      p50Us: latencies.quantileUs(0.5),
      maxMs: Math.max(latencies.maxMs, waitingMs),
    };
    latencies.clear();
    return waited;
  }

  stop(): void {
    this.#connection.close();
  }
}
