/**
 * Alarms that are on, by kind and member: bucket `alarm`, whose keys are encoded AlarmMembers. An alarm changes what
 * apply accepts, so it is replicated state and survives a restart; it stays on until somebody disarms it.
 */
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { Backend, BackendReader } from "../ports/backend.ts";
import { AlarmMember, AlarmType } from "../proto/etcdserverpb.ts";

export class Alarms {
  readonly #backend: Backend;
  readonly #active = new Map<number, Map<bigint, AlarmMember>>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Reads what is stored, here or (`from`) in another store. */
  restore(from: BackendReader = this.#backend): void {
    this.#active.clear();
    from.scan("alarm", EMPTY_BYTES, undefined, (key) => {
      this.#note(AlarmMember.decode(key));
      return true;
    });
  }

  /** The alarm that is on afterwards. Raising it twice changes nothing. */
  activate(memberId: bigint, alarm: number): AlarmMember {
    const present = this.#active.get(alarm)?.get(memberId);
    if (present !== undefined) return present;
    const raised = AlarmMember.create({ memberId, alarm });
    this.#note(raised);
    this.#backend.put("alarm", AlarmMember.encode(raised), EMPTY_BYTES);
    return raised;
  }

  /** The alarm that was taken back; undefined when exactly this one was not on. */
  deactivate(memberId: bigint, alarm: number): AlarmMember | undefined {
    const present = this.#active.get(alarm)?.get(memberId);
    if (present === undefined) return undefined;
    this.#active.get(alarm)?.delete(memberId);
    this.#backend.delete("alarm", AlarmMember.encode(present));
    return present;
  }

  /** Those of one kind; all for `AlarmType.NONE`. */
  list(alarm: number = AlarmType.NONE): AlarmMember[] {
    const kinds = alarm === AlarmType.NONE ? [...this.#active.values()] : [this.#active.get(alarm)];
    return kinds.flatMap((kind) => (kind === undefined ? [] : [...kind.values()]));
  }

  /** Whether any member has raised it. */
  isActive(alarm: number): boolean {
    return (this.#active.get(alarm)?.size ?? 0) > 0;
  }

  #note(alarm: AlarmMember): void {
    let members = this.#active.get(alarm.alarm);
    if (members === undefined) {
      members = new Map();
      this.#active.set(alarm.alarm, members);
    }
    members.set(alarm.memberId, alarm);
  }
}
