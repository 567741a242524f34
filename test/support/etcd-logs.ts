/**
 * Logs that real etcd wrote, without the zeros at the end of their files, and what etcd's own reader (ReadAll of its wal
 * package, from the newest valid snapshot record) finds in them.
 */
export interface EtcdLog {
  readonly files: readonly { readonly name: string; readonly base64: string }[];
  readonly metadata: string;
  readonly hardState: { readonly term: number; readonly vote: bigint; readonly commit: number };
  readonly snapshot: { readonly index: number; readonly term: number; readonly voters: readonly bigint[] };
  /** Data in base64. */
  readonly entries: readonly {
    readonly type: number;
    readonly term: number;
    readonly index: number;
    readonly data: string;
  }[];
}

/** etcd 3.7.3: one member; three puts, a delete, a lease, a put, a compaction; then stopped. */
export const ETCD_37: EtcdLog = {
  files: [
    {
      name: "0000000000000000-0000000000000000.wal",
      base64:
        "BAAAAAAAAIQIBBAAAAAAAB4AAAAAAACCCAEQzvPivQwaFAj2w9u3tKqy/3MQ2Jrr8qrmirllAAAOAAAAAAAAgggFEOeUuOcPGgQIABAAAABrAA" +
        "AAAAAAhQgCEPiPxfoEGmEIARABGAEiWRAAGPbD27e0qrL/cyJLeyJpZCI6ODM1ODMzOTMxNzk1NjI3MjYzMCwicGVlclVSTHMiOlsiaHR0cDov" +
        "LzEyNy4wLjAuMToyMzc5MSJdLCJuYW1lIjoibSJ9AAAAAAAPAAAAAAAAgQgDENLG1FMaBggBEAAYAQAYAAAAAAAAAAgDEN+nuoQBGg4IAhD2w9" +
        "u3tKqy/3MYAQ4AAAAAAACCCAIQ1ua14gUaBBACGAIAAEcAAAAAAACBCAIQ/t6cPBo+EAIYAyI4ogYLCIH8gpviwaj74QGqUScI9sPbt7Sqsv9z" +
        "EhsKAW0SFmh0dHA6Ly8xMjcuMC4wLjE6MjM3OTAAGAAAAAAAAAAIAxCdxaWECRoOCAIQ9sPbt7Sqsv9zGAIoAAAAAAAAAAgCENaArZ8OGh4QAh" +
        "gEIhiiBgsIgvyCm+LBqPvhAaJRBwoFMy43LjAYAAAAAAAAAAgDEJ678pcBGg4IAhD2w9u3tKqy/3MYAxgAAAAAAAAACAMQscr+ugsaDggCEPbD" +
        "27e0qrL/cxgEIAAAAAAAAAAIAhCI/NH/BBoWEAIYBSIQUgCiBgsIhPyCm+LBqPvhARgAAAAAAAAACAMQ06uz9g8aDggCEPbD27e0qrL/cxgFMQ" +
        "AAAAAAAIcIAhDm+8ShCBonEAIYBiIhIhEKCGdyZWV0aW5nEgVoZWxsb6IGCwiF/IKb4sGo++EBAAAAAAAAABgAAAAAAAAACAMQ0/OYxgQaDggC" +
        "EPbD27e0qrL/cxgGJwAAAAAAAIEIAhCZyYH7DBodEAIYByIXIgcKBWVtcHR5ogYLCIb8gpviwaj74QEAGAAAAAAAAAAIAxDM8dKDCRoOCAIQ9s" +
        "Pbt7Sqsv9zGAfnAgAAAAAAgQgCELD389MIGtwFEAIYCCLVBSLEBQoDYmlnErwFeHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eKIGCwiH/IKb4sGo++EBABgAAAAAAAAACAMQv63O+wcaDggCEPbD27e0qrL/cxgIKgAAAAAAAIYIAhCe/eLSAhogEAIYCSIaKgoKCGdyZW" +
        "V0aW5nogYLCIj8gpviwaj74QEAAAAAAAAYAAAAAAAAAAgDEMKz6NsCGg4IAhD2w9u3tKqy/3MYCS0AAAAAAACDCAIQgcWulQIaIxACGAoiHUIN" +
        "CNgEEIn8gpviwaj7YaIGCwiK/IKb4sGo++EBAAAAGAAAAAAAAAAIAxDhoZSQBRoOCAIQ9sPbt7Sqsv9zGAoxAAAAAAAAhwgCEPnRn74IGicQAh" +
        "gLIiEiEQoIZ3JlZXRpbmcSBWFnYWluogYLCIv8gpviwaj74QEAAAAAAAAAGAAAAAAAAAAIAxDxpfDzDRoOCAIQ9sPbt7Sqsv9zGAsiAAAAAAAA" +
        "hggCENmmgKUEGhgQAhgMIhI6AggDogYLCIz8gpviwaj74QEAAAAAAAAYAAAAAAAAAAgDEOrji/wBGg4IAhD2w9u3tKqy/3MYDA==",
    },
  ],
  metadata: "08f6c3dbb7b4aab2ff7310d89aebf2aae68ab965",
  hardState: { term: 2, vote: 8358339317956272630n, commit: 12 },
  snapshot: { index: 0, term: 0, voters: [] },
  entries: [
    {
      type: 1,
      term: 1,
      index: 1,
      data: "EAAY9sPbt7Sqsv9zIkt7ImlkIjo4MzU4MzM5MzE3OTU2MjcyNjMwLCJwZWVyVVJMcyI6WyJodHRwOi8vMTI3LjAuMC4xOjIzNzkxIl0sIm5hbWUiOiJtIn0=",
    },
    { type: 0, term: 2, index: 2, data: "" },
    {
      type: 0,
      term: 2,
      index: 3,
      data: "ogYLCIH8gpviwaj74QGqUScI9sPbt7Sqsv9zEhsKAW0SFmh0dHA6Ly8xMjcuMC4wLjE6MjM3OTA=",
    },
    { type: 0, term: 2, index: 4, data: "ogYLCIL8gpviwaj74QGiUQcKBTMuNy4w" },
    { type: 0, term: 2, index: 5, data: "UgCiBgsIhPyCm+LBqPvhAQ==" },
    { type: 0, term: 2, index: 6, data: "IhEKCGdyZWV0aW5nEgVoZWxsb6IGCwiF/IKb4sGo++EB" },
    { type: 0, term: 2, index: 7, data: "IgcKBWVtcHR5ogYLCIb8gpviwaj74QE=" },
    {
      type: 0,
      term: 2,
      index: 8,
      data: "IsQFCgNiaWcSvAV4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4ogYLCIf8gpviwaj74QE=",
    },
    { type: 0, term: 2, index: 9, data: "KgoKCGdyZWV0aW5nogYLCIj8gpviwaj74QE=" },
    { type: 0, term: 2, index: 10, data: "Qg0I2AQQifyCm+LBqPthogYLCIr8gpviwaj74QE=" },
    { type: 0, term: 2, index: 11, data: "IhEKCGdyZWV0aW5nEgVhZ2FpbqIGCwiL/IKb4sGo++EB" },
    { type: 0, term: 2, index: 12, data: "OgIIA6IGCwiM/IKb4sGo++EB" },
  ],
};

/** etcd 3.6.16: the same. */
export const ETCD_36: EtcdLog = {
  files: [
    {
      name: "0000000000000000-0000000000000000.wal",
      base64:
        "BAAAAAAAAIQIBBAAAAAAAB4AAAAAAACCCAEQzvPivQwaFAj2w9u3tKqy/3MQ2Jrr8qrmirllAAAOAAAAAAAAgggFEOeUuOcPGgQIABAAAABtAA" +
        "AAAAAAgwgCEKbNhYcHGmMIARABGAEiWwgAEAAY9sPbt7Sqsv9zIkt7ImlkIjo4MzU4MzM5MzE3OTU2MjcyNjMwLCJwZWVyVVJMcyI6WyJodHRw" +
        "Oi8vMTI3LjAuMC4xOjIzNzkxIl0sIm5hbWUiOiJtIn0AAAAQAAAAAAAAAAgDEOza9vgFGgYIARAAGAEYAAAAAAAAAAgDEIjIlfALGg4IAhD2w9" +
        "u3tKqy/3MYARAAAAAAAAAACAIQ+bzE2QIaBggAEAIYAkoAAAAAAACGCAIQ4obZ6QoaQAgAEAIYAyI4ogYLCIGYlZviwaj74QGqUScI9sPbt7Sq" +
        "sv9zEhsKAW0SFmh0dHA6Ly8xMjcuMC4wLjE6MjM3OTAAAAAAAAAYAAAAAAAAAAgDEO222uQIGg4IAhD2w9u3tKqy/3MYAyoAAAAAAACGCAIQs/" +
        "ub3w0aIAgAEAIYBCIYogYLCIKYlZviwaj74QGiUQcKBTMuNi4wAAAAAAAAGAAAAAAAAAAIAxCcs/LLDhoOCAIQ9sPbt7Sqsv9zGAQiAAAAAAAA" +
        "hggCEKT/4NcMGhgIABACGAUiEFIAogYLCISYlZviwaj74QEAAAAAAAAYAAAAAAAAAAgDEN3apfgGGg4IAhD2w9u3tKqy/3MYBTMAAAAAAACFCA" +
        "IQzvfStw8aKQgAEAIYBiIhIhEKCGdyZWV0aW5nEgVoZWxsb6IGCwiFmJWb4sGo++EBAAAAAAAYAAAAAAAAAAgDENScuNMBGg4IAhD2w9u3tKqy" +
        "/3MYBikAAAAAAACHCAIQl+SmggcaHwgAEAIYByIXIgcKBWVtcHR5ogYLCIaYlZviwaj74QEAAAAAAAAAGAAAAAAAAAAIAxDWk+iYAhoOCAIQ9s" +
        "Pbt7Sqsv9zGAfpAgAAAAAAhwgCEOWurdEPGt4FCAAQAhgIItUFIsQFCgNiaWcSvAV4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eH" +
        "h4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4" +
        "eHh4eHh4ogYLCIeYlZviwaj74QEAAAAAAAAAGAAAAAAAAAAIAxDY8uvYDRoOCAIQ9sPbt7Sqsv9zGAgsAAAAAAAAhAgCEM+i0YADGiIIABACGA" +
        "kiGioKCghncmVldGluZ6IGCwiImJWb4sGo++EBAAAAABcAAAAAAACBCAMQ5by8ZRoOCAIQ9sPbt7Sqsv9zGAkALwAAAAAAAIEIAhDs962KAxol" +
        "CAAQAhgKIh1CDQjYBBCJmJWb4sGo+2GiBgsIipiVm+LBqPvhAQAYAAAAAAAAAAgDENGYntgMGg4IAhD2w9u3tKqy/3MYCjMAAAAAAACFCAIQo8" +
        "79lAwaKQgAEAIYCyIhIhEKCGdyZWV0aW5nEgVhZ2FpbqIGCwiLmJWb4sGo++EBAAAAAAAYAAAAAAAAAAgDELPb/YUBGg4IAhD2w9u3tKqy/3MY" +
        "CyQAAAAAAACECAIQo96PtAoaGggAEAIYDCISOgIIA6IGCwiMmJWb4sGo++EBAAAAABgAAAAAAAAACAMQ2oSznQkaDggCEPbD27e0qrL/cxgM",
    },
  ],
  metadata: "08f6c3dbb7b4aab2ff7310d89aebf2aae68ab965",
  hardState: { term: 2, vote: 8358339317956272630n, commit: 12 },
  snapshot: { index: 0, term: 0, voters: [] },
  entries: [
    {
      type: 1,
      term: 1,
      index: 1,
      data: "CAAQABj2w9u3tKqy/3MiS3siaWQiOjgzNTgzMzkzMTc5NTYyNzI2MzAsInBlZXJVUkxzIjpbImh0dHA6Ly8xMjcuMC4wLjE6MjM3OTEiXSwibmFtZSI6Im0ifQ==",
    },
    { type: 0, term: 2, index: 2, data: "" },
    {
      type: 0,
      term: 2,
      index: 3,
      data: "ogYLCIGYlZviwaj74QGqUScI9sPbt7Sqsv9zEhsKAW0SFmh0dHA6Ly8xMjcuMC4wLjE6MjM3OTA=",
    },
    { type: 0, term: 2, index: 4, data: "ogYLCIKYlZviwaj74QGiUQcKBTMuNi4w" },
    { type: 0, term: 2, index: 5, data: "UgCiBgsIhJiVm+LBqPvhAQ==" },
    { type: 0, term: 2, index: 6, data: "IhEKCGdyZWV0aW5nEgVoZWxsb6IGCwiFmJWb4sGo++EB" },
    { type: 0, term: 2, index: 7, data: "IgcKBWVtcHR5ogYLCIaYlZviwaj74QE=" },
    {
      type: 0,
      term: 2,
      index: 8,
      data: "IsQFCgNiaWcSvAV4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4ogYLCIeYlZviwaj74QE=",
    },
    { type: 0, term: 2, index: 9, data: "KgoKCGdyZWV0aW5nogYLCIiYlZviwaj74QE=" },
    { type: 0, term: 2, index: 10, data: "Qg0I2AQQiZiVm+LBqPthogYLCIqYlZviwaj74QE=" },
    { type: 0, term: 2, index: 11, data: "IhEKCGdyZWV0aW5nEgVhZ2FpbqIGCwiLmJWb4sGo++EB" },
    { type: 0, term: 2, index: 12, data: "OgIIA6IGCwiMmJWb4sGo++EB" },
  ],
};

/** etcd 3.7.3's own log package with files of 600 bytes: cuts, entries overwritten in a later term, a snapshot that
 * counts, one written after it whose commit was not. */
export const ETCD_37_SEGMENTS: EtcdLog = {
  files: [
    {
      name: "0000000000000000-0000000000000000.wal",
      base64:
        "BAAAAAAAAIQIBBAAAAAAAA4AAAAAAACCCAEQhcyR7QgaBAgHEAkAAA4AAAAAAACCCAUQvYG3uAIaBAgAEAAAABgAAAAAAAAACAIQ847egQsaDg" +
        "gBEAEYASIGCAAQABgHEAAAAAAAAAAIAxCFlN6XAxoGCAEQABgBDgAAAAAAAIIIAhCE6d7GARoEEAIYAgAAEAAAAAAAAAAIAxCK+IT5BxoGCAIQ" +
        "BxgBKAAAAAAAAAAIAhDfrtfgDxoeEAIYAyIYMi4zIDIuMyAyLjMgMi4zIDIuMyAyLjMgEAAAAAAAAAAIAxD45eLdDxoGCAIQBxgCMAAAAAAAAA" +
        "AIAhDj1bDpBRomEAIYBCIgMi40IDIuNCAyLjQgMi40IDIuNCAyLjQgMi40IDIuNCAQAAAAAAAAAAgDEMyZ4ccIGgYIAhAHGAM4AAAAAAAAAAgC" +
        "EMKEmLgKGi4QAhgFIigyLjUgMi41IDIuNSAyLjUgMi41IDIuNSAyLjUgMi41IDIuNSAyLjUgEAAAAAAAAAAIAxCDq7SFDBoGCAIQBxgEQAAAAA" +
        "AAAAAIAhDb3tW1BBo2EAIYBiIwMi42IDIuNiAyLjYgMi42IDIuNiAyLjYgMi42IDIuNiAyLjYgMi42IDIuNiAyLjYgEAAAAAAAAAAIAxCM18rV" +
        "BBoGCAIQBxgFSAAAAAAAAAAIAhDo6eKIDxo+EAIYByI4Mi43IDIuNyAyLjcgMi43IDIuNyAyLjcgMi43IDIuNyAyLjcgMi43IDIuNyAyLjcgMi" +
        "43IDIuNyAQAAAAAAAAAAgDEK6u86UNGgYIAhAHGAY=",
    },
    {
      name: "0000000000000001-0000000000000008.wal",
      base64:
        "CAAAAAAAAAAIBBCurvOlDQ4AAAAAAACCCAEQyaOr5gUaBAgHEAkAABAAAAAAAAAACAMQzcn04wgaBggCEAcYBlAAAAAAAAAACAIQ57XdiAsaRh" +
        "ACGAgiQDIuOCAyLjggMi44IDIuOCAyLjggMi44IDIuOCAyLjggMi44IDIuOCAyLjggMi44IDIuOCAyLjggMi44IDIuOCAQAAAAAAAAAAgDELaX" +
        "iv8PGgYIAhAHGAdYAAAAAAAAAAgCEMjvqoQCGk4QAhgJIkgyLjkgMi45IDIuOSAyLjkgMi45IDIuOSAyLjkgMi45IDIuOSAyLjkgMi45IDIuOS" +
        "AyLjkgMi45IDIuOSAyLjkgMi45IDIuOSAQAAAAAAAAAAgDEJ2bhsACGgYIAhAHGAh0AAAAAAAAhAgCEPC3oLkGGmoQAhgKImQyLjEwIDIuMTAg" +
        "Mi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLj" +
        "EwIDIuMTAgAAAAABAAAAAAAAAACAMQnf+vtgIaBggCEAcYCX4AAAAAAACCCAIQnoTC9wUadBACGAsibjIuMTEgMi4xMSAyLjExIDIuMTEgMi4x" +
        "MSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExID" +
        "IuMTEgAAAQAAAAAAAAAAgDEOaP6+kFGgYIAhAHGAo=",
    },
    {
      name: "0000000000000002-000000000000000c.wal",
      base64:
        "CAAAAAAAAAAIBBDmj+vpBQ4AAAAAAACCCAEQgqSI2wQaBAgHEAkAABAAAAAAAAAACAMQ0vjtjg4aBggCEAcYCogAAAAAAAAACAIQh9Hc8wEafh" +
        "ACGAwieDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIu" +
        "MTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIBAAAAAAAAAACAMQ5eunhwsaBggCEAcYCx8AAAAAAACBCAIQg9S2/w" +
        "saFRACGA0iDzIuMTMgMi4xMyAyLjEzIAAfAAAAAAAAgQgCEIuO76MBGhUQAhgOIg8yLjE0IDIuMTQgMi4xNCAAPQAAAAAAAIMIAhDioO+BAxoz" +
        "EAIYDyItMi4xNSAyLjE1IDIuMTUgMi4xNSAyLjE1IDIuMTUgMi4xNSAyLjE1IDIuMTUgAAAAEAAAAAAAAAAIAxCD0pHDCBoGCAIQBxgMdAAAAA" +
        "AAAIQIAhDIw96cAhpqEAUYDSJkNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4x" +
        "MyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIAAAAAAYAAAAAAAAAAgDELmThzEaDwgFEIGAgICAgICAgAEYDCEAAAAAAACHCA" +
        "UQg/j4vwYaFwgJEAIaEQgHCIGAgICAgICAgAEQAygAAAAAAAAAANoAAAAAAACGCAIQ99Kv6AIazwEQBRgOIsgBNS4xNCA1LjE0IDUuMTQgNS4x" +
        "NCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0ID" +
        "UuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4x" +
        "NCA1LjE0IDUuMTQgNS4xNCAAAAAAAAAVAAAAAAAAgwgCEK689L4FGgsQBRgPIgU1LjE1IAAAABkAAAAAAACHCAMQycrr8A0aDwgFEIGAgICAgI" +
        "CAgAEYDQAAAAAAAAA=",
    },
    {
      name: "0000000000000003-0000000000000010.wal",
      base64:
        "CAAAAAAAAAAIBBDJyuvwDQ4AAAAAAACCCAEQjayWjQYaBAgHEAkAABkAAAAAAACHCAMQu/L8xQgaDwgFEIGAgICAgICAgAEYDQAAAAAAAAAUAA" +
        "AAAAAAhAgFEOmmwcQIGgoIDxAFGgQIBygAAAAAABAAAAAAAAAACAMQs5rK5QsaBggGEAAYDg==",
    },
  ],
  metadata: "08071009",
  hardState: { term: 6, vote: 0n, commit: 14 },
  snapshot: { index: 9, term: 2, voters: [7n, 9223372036854775809n] },
  entries: [
    {
      type: 0,
      term: 2,
      index: 10,
      data: "Mi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIDIuMTAgMi4xMCAyLjEwIA==",
    },
    {
      type: 0,
      term: 2,
      index: 11,
      data: "Mi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSAyLjExIDIuMTEgMi4xMSA=",
    },
    {
      type: 0,
      term: 2,
      index: 12,
      data: "Mi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIgMi4xMiAyLjEyIDIuMTIg",
    },
    {
      type: 0,
      term: 5,
      index: 13,
      data: "NS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIDUuMTMgNS4xMyA1LjEzIA==",
    },
    {
      type: 0,
      term: 5,
      index: 14,
      data: "NS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA1LjE0IDUuMTQgNS4xNCA=",
    },
    { type: 0, term: 5, index: 15, data: "NS4xNSA=" },
  ],
};
