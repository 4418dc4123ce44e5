import type { NodeDisk } from "#model/quorum/disk.ts";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";
import { readRecord, writeRecord } from "../adapters/atomic-file.ts";

/** What was found of a module's quorum file; see `started` in model/quorum/types.ts. */
export type FoundDisk = {
  readonly disk: NodeDisk | null;
  readonly isDiskLost: boolean;
  readonly detail: string;
};

/** A node's durable memory of one module: one checksummed file, flushed before it is acted on. */
export class QuorumStore {
  readonly #path: string;
  readonly #moduleId: ModuleId;
  readonly #nodeId: NodeId;

  constructor(path: string, moduleId: ModuleId, nodeId: NodeId) {
    this.#path = path;
    this.#moduleId = moduleId;
    this.#nodeId = nodeId;
  }

  read(): FoundDisk {
    const found = readRecord(this.#path);
    if (found.kind === "none") return { disk: null, isDiskLost: false, detail: "no file" };
    if (found.kind === "damaged") return { disk: null, isDiskLost: true, detail: found.detail };
    if (!this.#isDisk(found.value)) {
      const detail = `${this.#path} is of another module, node or version`;
      return { disk: null, isDiskLost: true, detail };
    }
    return { disk: found.value, isDiskLost: false, detail: "read" };
  }

  /** Returns only when it is on stable storage; throws when it cannot be. */
  write(disk: NodeDisk): void {
    writeRecord(this.#path, disk);
  }

  /** The checksum vouches for the form: only this class writes it. */
  #isDisk(value: unknown): value is NodeDisk {
    if (typeof value !== "object" || value === null) return false;
    const fields = new Map<string, unknown>(Object.entries(value));
    return (
      fields.get("format") === 1 &&
      fields.get("moduleId") === this.#moduleId &&
      fields.get("nodeId") === this.#nodeId
    );
  }
}
