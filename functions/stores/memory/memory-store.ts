/**
 * The stores without a disk: for tests and simulations, and the plainest statement of what the
 * ports mean. Answers come in a later turn, as from any store, so a caller that relies on running
 * at once shows itself here.
 */
import { type BlobStore, type EventLog, LIST_MAX, type RecordStore } from "../../ports.ts";

interface Kept {
  version: number;
  text: string;
}

const byCodePoint = ([a]: [string, unknown], [b]: [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/** Records in a map of maps. */
export function memoryRecordStore(storeId: string): RecordStore {
  const partitions = new Map<string, Map<string, Kept>>();
  const within = (partition: string): Map<string, Kept> => {
    const found = partitions.get(partition) ?? new Map<string, Kept>();
    partitions.set(partition, found);
    return found;
  };
  return {
    storeId,
    async read({ partition, id }) {
      const kept = within(partition).get(id);
      return kept === undefined ? null : { id, ...kept };
    },
    async list(partition) {
      const sorted = [...within(partition)].sort(byCodePoint).slice(0, LIST_MAX);
      return sorted.map(([id, kept]) => ({ id, ...kept }));
    },
    async write({ partition, id }, seenVersion, text) {
      const kept = within(partition).get(id);
      if ((kept?.version ?? 0) !== seenVersion) return false;
      within(partition).set(id, { version: seenVersion + 1, text });
      return true;
    },
    async remove({ partition, id }, seenVersion) {
      if (within(partition).get(id)?.version !== seenVersion) return false;
      return within(partition).delete(id);
    },
  };
}

interface KeptLog {
  lastSeq: number;
  entries: { seq: number; text: string; dedupeKey: string | null }[];
}

/** Logs in arrays. */
export function memoryEventLog(entriesMax: number): EventLog {
  const logs = new Map<string, KeptLog>();
  const of = (clusterId: string): KeptLog => {
    const found = logs.get(clusterId) ?? { lastSeq: 0, entries: [] };
    logs.set(clusterId, found);
    return found;
  };
  return {
    async append(clusterId, drafts) {
      const log = of(clusterId);
      const stored = [];
      for (const { text, dedupeKey } of drafts) {
        const isKnown = log.entries.some((entry) => entry.dedupeKey === dedupeKey);
        if (dedupeKey !== null && isKnown) continue;
        log.lastSeq += 1;
        log.entries.push({ seq: log.lastSeq, text, dedupeKey });
        stored.push({ seq: log.lastSeq, text });
      }
      log.entries.splice(0, log.entries.length - entriesMax);
      return stored;
    },
    async after(clusterId, after, limit) {
      const newer = of(clusterId).entries.filter((entry) => entry.seq > after);
      return newer.slice(0, limit).map(({ seq, text }) => ({ seq, text }));
    },
    async range(clusterId) {
      const { lastSeq, entries } = of(clusterId);
      return { firstSeq: entries[0]?.seq ?? lastSeq + 1, lastSeq };
    },
  };
}

/** Blobs in a map. */
export function memoryBlobStore(): BlobStore {
  const blobs = new Map<string, Uint8Array>();
  return {
    async put(sha256, bytes) {
      blobs.set(sha256, bytes);
    },
    async get(sha256) {
      return blobs.get(sha256) ?? null;
    },
  };
}
