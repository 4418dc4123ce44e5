/**
 * The process of one faulty disk:
 *
 *   node test/lab/faulty-disk/disk-process.ts IMAGE MOUNT_POINT SOCKET
 *
 * Mounts a file system with one file, `disk`, that shows IMAGE; takes orders (fault.ts), one JSON
 * line each, on the Unix socket; ends by the order `quit`.
 */
import { fstatSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { AT_FDCWD, O_CLOEXEC, O_RDWR, openat } from "../../../node-agent/adapters/linux/file.ts";
import { cString } from "../../../node-agent/adapters/linux/library.ts";
import {
  MNT_DETACH,
  MS_NODEV,
  MS_NOSUID,
  mount,
  umount2,
} from "../../../node-agent/adapters/linux/mount.ts";
import { DISK_FAULTS, type DiskOrder, WORD, WORDS } from "./fault.ts";
import type { ServeDisk } from "./serve-thread.ts";

const [imagePath = "", mountPoint = "", socketPath = ""] = process.argv.slice(2);
const image = openSync(imagePath, "r+");
const device = openat(AT_FDCWD, cString("/dev/fuse"), O_RDWR | O_CLOEXEC, 0);
if (device < 0) throw new Error(`/dev/fuse: ${device}`);
const options = `fd=${device},rootmode=40000,user_id=0,group_id=0,max_read=1048576`;
const source = cString("faulty-disk");
const type = cString("fuse.faulty");
const mounted = mount(source, cString(mountPoint), type, MS_NOSUID | MS_NODEV, cString(options));
if (mounted < 0) throw new Error(`mount on ${mountPoint}: ${mounted}`);

const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
const served: ServeDisk = { device, image, sizeBytes: fstatSync(image).size, words };
const thread = new Worker(new URL("./serve-thread.ts", import.meta.url), { workerData: served });
thread.on("exit", () => process.exit(0));

function obey(order: DiskOrder): void {
  switch (order.kind) {
    case "lose":
      Atomics.store(words, WORD.lose, 1);
      return;
    case "quit":
      obey({ kind: "ok" });
      umount2(cString(mountPoint), MNT_DETACH);
      return;
    default:
      if (order.kind === "slow") Atomics.store(words, WORD.delayMs, order.delayMs);
      Atomics.store(words, WORD.fault, DISK_FAULTS.indexOf(order.kind));
      Atomics.notify(words, WORD.fault);
  }
}

rmSync(socketPath, { force: true });
createServer((socket) => {
  socket.on("error", () => undefined);
  createInterface(socket).on("line", (line) => {
    obey(JSON.parse(line));
    socket.write("done\n");
  });
}).listen(socketPath);
