/** Random numbers, asked for. */
export interface Random {
  bytes(length: number): Uint8Array;
  /** Uniform in [0, bound). */
  below(bound: number): number;
}
