/**
 * Maintenance.Snapshot: the store as a bbolt file in pieces, and its SHA-256 as the last one. What is sent was the store
 * when the call came, however long the caller takes; it is read as the caller reads, and a caller that goes away lets
 * the pages go.
 */
import { Sha256 } from "../base/digest.ts";
import { EtcdError } from "../base/error.ts";
import { SnapshotResponse } from "../proto/etcdserverpb.ts";
import type { Call, Outlet } from "./call.ts";
import type { MemberApi, SnapshotSource } from "./member-api.ts";

/** Sent before others have their turn: some milliseconds. */
const TURN_BYTES = 256 * 1024;

export class SnapshotStream {
  readonly #member: MemberApi;
  readonly #call: Call;
  readonly #outlet: Outlet<SnapshotResponse>;
  readonly #digest = new Sha256();
  #snapshot: SnapshotSource | undefined;
  #sentBytes = 0;
  #over = false;

  constructor(member: MemberApi, call: Call, outlet: Outlet<SnapshotResponse>) {
    this.#member = member;
    this.#call = call;
    this.#outlet = outlet;
  }

  start(): void {
    this.#call.onCanceled(() => this.#end());
    void this.#guarded(async () => {
      await this.#open();
      if (this.#over) return;
      this.#outlet.onDrain(() => void this.#guarded(() => this.#pump()));
      await this.#pump();
    });
  }

  /** Takes the view, and works out what the first answer must say: how much will come. */
  async #open(): Promise<void> {
    const snapshot = await this.#member.snapshot();
    if (this.#over) return snapshot.close();
    this.#snapshot = snapshot;
    while (!this.#over && !snapshot.measure()) await this.#member.nextTurn();
  }

  /** Sends while the caller takes it; the drain goes on after a pause of his. */
  async #pump(): Promise<void> {
    for (let turnBytes = 0; !this.#over; ) {
      const piece = this.#snapshot?.next();
      if (piece === undefined) return this.#finish();
      this.#digest.add(piece);
      this.#sentBytes += piece.length;
      turnBytes += piece.length;
      if (!this.#send(piece)) return;
      if (turnBytes < TURN_BYTES) continue;
      turnBytes = 0;
      await this.#member.nextTurn();
    }
  }

  #send(blob: Uint8Array): boolean {
    const snapshot = this.#snapshot as SnapshotSource;
    const remainingBytes = snapshot.sizeBytes - this.#sentBytes;
    return this.#outlet.write(SnapshotResponse.create({ remainingBytes, blob, version: snapshot.version }));
  }

  #finish(): void {
    this.#send(this.#digest.result());
    this.#end();
    this.#outlet.end();
  }

  #end(): void {
    this.#over = true;
    this.#snapshot?.close();
  }

  async #guarded(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#end();
      if (!(error instanceof EtcdError)) throw error;
      this.#outlet.fail(error);
    }
  }
}
