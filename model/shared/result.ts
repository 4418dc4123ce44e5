/**
 * Expected failures are values, not exceptions: a caller sees in the type what can go wrong and
 * must say what it does about it. Bugs still throw (see assert.ts).
 */
export type Result<T, E> = Ok<T> | Err<E>;
export type Ok<T> = { readonly ok: true; readonly value: T };
export type Err<E> = { readonly ok: false; readonly error: E };

export const ok = <T>(value: T): Ok<T> => ({ ok: true, value });
export const err = <E>(error: E): Err<E> => ({ ok: false, error });
