import { connect } from "node:net";
import { join } from "node:path";
import { areEqual } from "#model/shared/equal.ts";
import { openSharedMemoryOf } from "../adapters/linux/shared-memory.ts";
import type { Survivor } from "../mirror/open-mirror.ts";
import { commandLineOf, processIds } from "../modules/process-table.ts";
import { type ModuleMemory, newModuleMemory } from "../peer/module-memory.ts";
import type { OpenOptions, ReplicationEngine } from "../replication/engine.ts";
import { Lines } from "./lines.ts";
import { kill } from "./process-end.ts";
import { type FromHost, type Hello, PROTOCOL } from "./protocol.ts";
import { RemoteEngine, SOCKET_NAME } from "./remote-engine.ts";

/** A process that says nothing for so long is of no use to anybody. */
const HELLO_MS_MAX = 1_000;
const MEMORY_DESCRIPTOR = 3;
const PROGRAM = "data-process-main.ts";

/** Where modules' file operations are answered: in processes that outlive this one. */
export class DataProcesses {
  readonly #spared = new Set<number>();

  /** Those of this agent: never stopped by a fence, which could not tell them from users. */
  get processIds(): readonly number[] {
    return [...this.#spared];
  }

  readonly newMemory = newModuleMemory;

  newEngine(): ReplicationEngine {
    return new RemoteEngine((id) => this.#spared.add(id));
  }

  /** `stateDirectory`: the module's own. */
  find(stateDirectory: string): Survivor | null {
    const socketPath = join(stateDirectory, SOCKET_NAME);
    const found = processIds().filter((id) => isDataProcess(commandLineOf(id), socketPath));
    const [processId] = found;
    if (processId === undefined) return null;
    const memory = memoryOf(processId);
    const end = async () => {
      for (const id of found) await kill(id);
      return null;
    };
    return {
      memory: memory ?? newModuleMemory(),
      takeOver: async (open) => {
        // Two would be one too many, whatever they say.
        if (found.length > 1 || memory === null) return await end();
        const answer = await helloOf(socketPath);
        if (answer === null || !fits(answer.hello, open)) {
          answer?.lines.socket.destroy();
          return await end();
        }
        const { lines, hello } = answer;
        const link = { lines, processId };
        const engine = RemoteEngine.takeOver(link, memory, (id) => this.#spared.add(id));
        return { engine, standing: hello.standing, ...hello.opened };
      },
    };
  }
}

function isDataProcess(commandLine: string, socketPath: string): boolean {
  return commandLine.endsWith(`${PROGRAM} ${socketPath}`);
}

function memoryOf(processId: number): ModuleMemory | null {
  try {
    return { descriptor: openSharedMemoryOf(processId, MEMORY_DESCRIPTOR) };
  } catch {
    return null;
  }
}

/** Another version of the module, other directories, another address: that is another engine. */
function fits({ protocol, options }: Hello, { leaseCell: _, ...open }: OpenOptions): boolean {
  return protocol === PROTOCOL && areEqual(options, JSON.parse(JSON.stringify(open)));
}

type Greeting = { readonly lines: Lines<FromHost>; readonly hello: Hello };

function helloOf(socketPath: string): Promise<Greeting | null> {
  const { promise, resolve } = Promise.withResolvers<Greeting | null>();
  const lines = new Lines<FromHost>(connect(socketPath));
  const timer = setTimeout(() => resolve(null), HELLO_MS_MAX);
  lines.socket.once("close", () => resolve(null));
  lines.taker = (message) => {
    if (message.kind !== "hello") return;
    // What it says from now on is for the engine.
    lines.taker = null;
    resolve({ lines, hello: message });
  };
  return promise.finally(() => clearTimeout(timer));
}
