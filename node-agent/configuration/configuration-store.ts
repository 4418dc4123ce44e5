import { join } from "node:path";
import { NodeConfiguration } from "#model/contract/configuration.ts";
import { readRecord, writeRecord } from "../adapters/atomic-file.ts";

/** The configuration that this node applied last: with it, it starts while the control plane is away. */
export class ConfigurationStore {
  readonly #path: string;

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, "configuration.json");
  }

  /** null: none yet, or not to be trusted; then the node waits for the control plane. */
  read(): NodeConfiguration | null {
    const found = readRecord(this.#path);
    if (found.kind !== "read") return null;
    const parsed = NodeConfiguration.safeParse(found.value);
    return parsed.success ? parsed.data : null;
  }

  write(configuration: NodeConfiguration): void {
    writeRecord(this.#path, configuration);
  }
}
