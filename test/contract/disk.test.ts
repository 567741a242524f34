/** The disk contract, on the real disk and on the simulated one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Prng } from "../../server/base/prng.ts";
import { SystemDisk } from "../../server/system/disk.ts";
import { SimDisk } from "../simulation/world/disk.ts";
import { diskContract } from "./disk.ts";

diskContract("real disk", () => {
  const folder = mkdtempSync(join(tmpdir(), "kvorum-disk-"));
  return { disk: new SystemDisk(), folder, close: () => rmSync(folder, { recursive: true }) };
});

diskContract("simulated disk", () => {
  const disk = new SimDisk({ prng: new Prng(1) });
  disk.makeFolder("/work");
  return { disk, folder: "/work", close: () => undefined };
});
