/** What a test needs to know of one element of the table: a file around it, and where it ends up. */
export type ElementCase<C> = {
  /** A file that is good, with the element written with these attributes. */
  readonly wrap: (attributes: string) => string;
  /** Attributes without which that file would not be good. */
  readonly base: Readonly<Record<string, string>>;
  /** The part of the config that the element becomes. */
  readonly pick: (config: C) => Readonly<Record<string, unknown>> | null | undefined;
  readonly attributes: Readonly<Record<string, AttributeCase>>;
};
/** `written` becomes `value`; not written, `absent` (from the reference, not from the table). */
export type AttributeCase = {
  /** null: it leaves no trace in the config. */
  readonly field: string | null;
  readonly written: string;
  readonly value: unknown;
  /** undefined: it is required. */
  readonly absent?: unknown;
};

/** An attribute that must be given. */
export const must = (field: string, written: string, value: unknown): AttributeCase => ({
  field,
  written,
  value,
});
/** One that may be left out. */
export const may = (
  field: string | null,
  written: string,
  value: unknown,
  absent: unknown,
): AttributeCase => ({ field, written, value, absent });
