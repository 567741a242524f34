/**
 * grpc.health.v1, as grpc-go's health server answers it. One service is known, "", the server as a whole: serving from
 * the moment when it is reached at all. Other names are unknown, those of etcd's services too.
 */
import { EtcdError } from "../base/error.ts";
import {
  type HealthCheckRequest,
  HealthCheckResponse,
  HealthListEntry,
  HealthListResponse,
  ServingStatus,
} from "../proto/healthpb.ts";
import type { Call, Outlet } from "../services/call.ts";

const WHOLE_SERVER = "";

export class Health {
  #serving = true;
  /** Streams that hear of each change. As many as there are calls. */
  readonly #watchers = new Set<() => void>();

  /** Whether the server as a whole takes calls. */
  setServing(serving: boolean): void {
    if (this.#serving === serving) return;
    this.#serving = serving;
    for (const tell of [...this.#watchers]) tell();
  }

  check({ service }: HealthCheckRequest): HealthCheckResponse {
    if (service !== WHOLE_SERVER) throw new EtcdError("UnknownHealthService");
    return this.#now();
  }

  list(): HealthListResponse {
    return HealthListResponse.create({ statuses: [HealthListEntry.create({ key: WHOLE_SERVER, value: this.#now() })] });
  }

  /** The state now and after each change. An unknown name is no error here: it might become known. */
  watch({ service }: HealthCheckRequest, call: Call, outlet: Outlet<HealthCheckResponse>): void {
    if (service !== WHOLE_SERVER) {
      outlet.write(HealthCheckResponse.create({ status: ServingStatus.SERVICE_UNKNOWN }));
      return;
    }
    this.#tellOfChanges(call, outlet);
  }

  /** A slow reader is told the newest state when it has read on, and nothing of those between. */
  #tellOfChanges(call: Call, outlet: Outlet<HealthCheckResponse>): void {
    let told: boolean | undefined;
    let room = true;
    const tell = () => {
      if (!room || told === this.#serving) return;
      told = this.#serving;
      room = outlet.write(this.#now());
    };
    outlet.onDrain(() => {
      room = true;
      tell();
    });
    this.#watchers.add(tell);
    call.onCanceled(() => this.#watchers.delete(tell));
    tell();
  }

  #now(): HealthCheckResponse {
    return HealthCheckResponse.create({ status: this.#serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING });
  }
}
