/** Runs the backend's contract on LMDB and on its twin in memory. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LmdbBackend } from "../../server/storage/lmdb-backend.ts";
import { MemoryBackend } from "../simulation/world/backend.ts";
import { type BackendPlace, backendContract } from "./backend.ts";

backendContract("lmdb", lmdbPlace);
backendContract("memory", memoryPlace);

function lmdbPlace(): BackendPlace {
  const parent = mkdtempSync(join(tmpdir(), "kvorum-backend-"));
  let folder = join(parent, "0");
  let copies = 0;
  let options = {};
  return {
    open(given = {}) {
      options = given;
      return LmdbBackend.open(folder, options);
    },
    // With no commit under way the files are what a killed process leaves behind.
    async crash(backend) {
      const image = join(parent, String(++copies));
      cpSync(folder, image, { recursive: true });
      await backend.close();
      folder = image;
      return LmdbBackend.open(folder, options);
    },
    remove: () => rmSync(parent, { recursive: true, force: true }),
  };
}

function memoryPlace(): BackendPlace {
  return {
    open: (options = {}) => new MemoryBackend(options),
    crash: async (backend) => (backend as MemoryBackend).crash(),
    remove: () => undefined,
  };
}
