/** What committed entries change, gathered: everything here lives in one backend and is committed with the applied index. */
import type { Alarms } from "../cluster/alarms.ts";
import type { Membership } from "../cluster/membership.ts";
import type { Lessor } from "../lease/lessor.ts";
import type { Store } from "../mvcc/store.ts";
import type { Backend } from "../ports/backend.ts";

export interface State {
  readonly backend: Backend;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly membership: Membership;
  readonly alarms: Alarms;
  /** Bytes that the data may take; undefined: no quota. Only answers depend on it, never what is stored. */
  readonly quotaBytes: number | undefined;
}
