/** What a member is at the moment. Its own files change this; the rooms around it are handed what they need of it. */
export class Standing {
  /** The last entry whose effect the state holds. */
  consistent: { readonly index: number; readonly term: number };
  /** 0: nobody leads, as far as is known here. */
  leaderId = 0n;
  isLeader = false;
  /** Nobody else is in raft's configuration. */
  isAlone = false;
  isStopping = false;
  isRemoved = false;
  /** Something was read since the loop asked last. */
  hasRead = false;

  constructor(consistent: { readonly index: number; readonly term: number }) {
    this.consistent = consistent;
  }

  /** `hasRead`, which begins anew. */
  takeRead(): boolean {
    const { hasRead } = this;
    this.hasRead = false;
    return hasRead;
  }
}
