import assert from "node:assert/strict";
import { test } from "node:test";
import { type MemoryPlan, memoryLimit, planMemory } from "./memory.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

function limitIn(files: Record<string, string>): { bytes: number; source: string } {
  return memoryLimit((path) => files[path], 24 * GIB);
}

test("memoryLimit() is the machine's memory where nothing else bounds it", () => {
  assert.deepEqual(limitIn({}), { bytes: 24 * GIB, source: "machine" });
  assert.deepEqual(
    limitIn({
      "/proc/self/cgroup": "0::/user.slice\n",
      "/sys/fs/cgroup/user.slice/memory.max": "max\n",
      "/sys/fs/cgroup/memory.max": "max\n",
      "/proc/self/limits": "Max data size             unlimited            unlimited            bytes     \n",
    }),
    { bytes: 24 * GIB, source: "machine" },
  );
});

test("memoryLimit() knows cgroup v2: a container that sees its group as the root, and a group in a group", () => {
  assert.deepEqual(limitIn({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912\n" }), {
    bytes: 512 * MIB,
    source: "cgroup v2",
  });
  const nested = {
    "/proc/self/cgroup": "0::/kubepods/pod1/c1\n",
    "/sys/fs/cgroup/kubepods/memory.max": "max\n",
    "/sys/fs/cgroup/kubepods/pod1/memory.max": "1073741824\n",
    "/sys/fs/cgroup/kubepods/pod1/c1/memory.max": "2147483648\n",
  };
  assert.deepEqual(limitIn(nested), { bytes: GIB, source: "cgroup v2" });
});

test("memoryLimit() knows cgroup v1, whose groups above may be the tighter ones, and its word for none", () => {
  const files = {
    "/proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/\n",
    "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/docker/abc/memory.stat": "cache 0\nhierarchical_memory_limit 536870912\n",
  };
  assert.deepEqual(limitIn(files), { bytes: 512 * MIB, source: "cgroup v1" });
  const inside = {
    "/proc/self/cgroup": "4:memory:/docker/abc\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n",
  };
  assert.deepEqual(limitIn(inside), { bytes: GIB, source: "cgroup v1" });
  const unlimited = {
    "/proc/self/cgroup": "4:memory:/x\n",
    "/sys/fs/cgroup/memory/x/memory.stat": "hierarchical_memory_limit 9223372036854771712\n",
  };
  assert.deepEqual(limitIn(unlimited), { bytes: 24 * GIB, source: "machine" });
});

test("memoryLimit() knows ulimit -d", () => {
  const files = {
    "/proc/self/limits": "Max data size             2147483648           unlimited            bytes     \n",
  };
  assert.deepEqual(limitIn(files), { bytes: 2 * GIB, source: "rlimit" });
});

test("memoryLimit() finds something on the machine that this runs on", () => {
  assert.ok(memoryLimit().bytes > 64 * MIB);
});

test("planMemory() leaves room beside the heap, whatever the size", () => {
  const cases: [number, MemoryPlan][] = [
    [64 * MIB, { oldSpaceMb: 64, semiSpaceMb: 8, transitBytes: 4 * MIB, valueCacheBytes: 0 }],
    [512 * MIB, { oldSpaceMb: 250, semiSpaceMb: 8, transitBytes: 20 * MIB, valueCacheBytes: 41 * MIB }],
    [2 * GIB, { oldSpaceMb: 1171, semiSpaceMb: 16, transitBytes: 97 * MIB, valueCacheBytes: 64 * MIB }],
    [24 * GIB, { oldSpaceMb: 14_688, semiSpaceMb: 32, transitBytes: 256 * MIB, valueCacheBytes: 64 * MIB }],
    [1024 * GIB, { oldSpaceMb: 32_768, semiSpaceMb: 32, transitBytes: 256 * MIB, valueCacheBytes: 64 * MIB }],
  ];
  for (const [bytes, plan] of cases) assert.deepEqual(planMemory(bytes), plan, String(bytes));
});
