import { expect, test } from "vitest";
import { parseFio } from "./fio.ts";

const json = (read: object, write: object) =>
  `${JSON.stringify({ jobs: [{ read, write }] }, null, 2)}\n`;
const none = { iops: 0, bw_bytes: 0 };

test("reads the direction that was used, past fio's notes", () => {
  const write = { iops: 512.5, bw_bytes: 2_099_200 };
  expect(parseFio(`note: both iodepth >= 1 and synchronous {}\n${json(none, write)}`)).toEqual({
    ...{ iops: 512.5, megabytesPerSecond: 2.0992 },
  });
  expect(parseFio(json(write, none)).iops).toBe(512.5);
});

test("throws where there is no job in it", () => {
  expect(() => parseFio('{\n"jobs": []\n}')).toThrow("no job");
});
