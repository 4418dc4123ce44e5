/**
 * Error numbers of Linux (errno(3), asm-generic/errno.h), by name and by number. The numbers are
 * those of x86-64 and arm64, which are alike.
 */

/** The error numbers that this project names; others are shown as `errno N`. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EOVERFLOW: 75,
  ENOTSOCK: 88,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
  EUCLEAN: 117,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, code]) => [code, name]));

/** `"ENOENT"` for 2 as for -2, `"errno 99999"` for a number that has no name here. */
export const errnoName = (code: number): string =>
  NAMES.get(Math.abs(code)) ?? `errno ${Math.abs(code)}`;

/** Whether the disk is to blame, and not the request: takes an errno or -errno. */
export const isDiskError = (code: number): boolean => DISK_ERRORS.includes(Math.abs(code));
const DISK_ERRORS: readonly number[] = [ERRNO.EIO, ERRNO.ENXIO, ERRNO.EUCLEAN];
