/** The middle value; of two middle ones the lower. NaN of none. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The least value that at least `percent` of all values do not exceed (nearest rank). NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

/**
 * How many times as good as its peer something is: the median of the ratios of each round, in which
 * both were measured next to each other, so that a disk that gets slower from round to round does
 * not count. A round in which one of the two is missing is left out; null when none is left.
 */
export function medianRatio(
  values: readonly (number | null)[],
  peers: readonly (number | null)[],
  better: "more" | "less",
): number | null {
  const ratios = values.flatMap((value, round) => {
    const peer = peers[round] ?? null;
    if (value === null || peer === null) return [];
    const ratio = better === "more" ? value / peer : peer / value;
    return Number.isFinite(ratio) ? [ratio] : [];
  });
  return ratios.length === 0 ? null : median(ratios);
}

/** A table with aligned columns, numbers to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const texts = rows.map((row) => row.map(String));
  const widths = (texts[0] ?? []).map((_, column) =>
    Math.max(...texts.map((row) => row[column]?.length ?? 0)),
  );
  return texts
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  "),
    )
    .join("\n");
}
