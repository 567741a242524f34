/** What is measured: each row is one run of etcd's own load generator against a running server. */

export interface Row {
  readonly name: string;
  /** Arguments of `benchmark` after the endpoint. */
  readonly load: readonly string[];
  /** Puts this many keys of 256 bytes first. */
  readonly keys: number;
}

/** Of every value. */
export const VALUE_BYTES = 256;

/** The key that the reading rows ask for; put before they run. */
export const READ_KEY = "benchmark-key";

export const ROWS: readonly Row[] = [
  { name: "put, 1 client", keys: 0, load: put({ conns: 1, clients: 1, total: 2000 }) },
  { name: "put, 100 clients", keys: 0, load: put({ conns: 10, clients: 100, total: 20_000 }) },
  { name: "put, 1000 clients", keys: 0, load: put({ conns: 100, clients: 1000, total: 30_000 }) },
  { name: "range linearizable, 100 clients", keys: 10_000, load: range("l", 100, 20_000) },
  { name: "range serializable, 100 clients", keys: 10_000, load: range("s", 100, 20_000) },
];

function put(how: { conns: number; clients: number; total: number }): string[] {
  return [
    `--conns=${how.conns}`,
    `--clients=${how.clients}`,
    "put",
    "--key-size=16",
    `--val-size=${VALUE_BYTES}`,
    "--key-space-size=100000",
    `--total=${how.total}`,
  ];
}

function range(consistency: "l" | "s", clients: number, total: number): string[] {
  return ["--conns=10", `--clients=${clients}`, "range", READ_KEY, `--consistency=${consistency}`, `--total=${total}`];
}

/** Fills the store for rows that read. */
export function fill(keys: number): string[] {
  return [
    "--conns=10",
    "--clients=200",
    "put",
    "--key-size=16",
    `--val-size=${VALUE_BYTES}`,
    "--sequential-keys",
    `--key-space-size=${keys}`,
    `--total=${keys}`,
  ];
}
