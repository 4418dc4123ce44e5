/**
 * The whole exploration: from a pair that `a` leads and from one that `b` leads, each in a thread of
 * its own. The two are mirror images but for one thing: which name proposes when the pair decides
 * without the witness. An epoch that `a` began and one that `b` began are told apart for ever, so
 * hardly a state is seen from both. Of three nodes names say who tries first, so that none is like
 * another: led by each of them.
 */
import { Worker } from "node:worker_threads";
import { idsOf } from "./explored-world.ts";
import { Search, type Searched, type SearchOptions } from "./search.ts";

type ExploreOptions = Omit<SearchOptions, "primary" | "stop">;

export async function explore(options: ExploreOptions): Promise<Searched> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  // A function cannot be sent to a thread.
  const { onProgress: _, ...plain } = options;
  const [first, ...others] = idsOf(options.nodeCount);
  const threads = others.map((primary) => inThread({ ...plain, primary, stop }));
  const own = new Search({ ...options, primary: first, stop }).run();
  return (await Promise.all(threads)).reduce(joined, own);
}

function inThread(options: SearchOptions): Promise<Searched> {
  const { promise, resolve, reject } = Promise.withResolvers<Searched>();
  const worker = new Worker(new URL("./starts-worker.ts", import.meta.url), {
    workerData: options,
    resourceLimits: { maxOldGenerationSizeMb: 16_000 },
  });
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.once("exit", () => reject(new Error("a thread ended without an answer")));
  return promise;
}

function joined(x: Searched, y: Searched): Searched {
  return {
    states: x.states + y.states,
    looks: x.looks + y.looks,
    moves: x.moves + y.moves,
    depth: Math.max(x.depth, y.depth),
    beyond: x.beyond + y.beyond,
    isComplete: x.isComplete && y.isComplete,
    broken: x.broken ?? y.broken,
    cells: [...new Set([...x.cells, ...y.cells])].sort(),
  };
}
