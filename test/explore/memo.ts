/** What a pure function said of an object before; parts of a state are shared, so it is asked often. */
export function memo<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    const had = known.get(key);
    if (had !== undefined) return had;
    const value = make(key);
    known.set(key, value);
    return value;
  };
}

/** The same, of an object and a word. */
export function memo2<K extends object, W, V>(make: (key: K, word: W) => V) {
  const byKey = memo((_: K) => new Map<W, V>());
  return (key: K, word: W): V => {
    const known = byKey(key);
    const had = known.get(word);
    if (had !== undefined) return had;
    const value = make(key, word);
    known.set(word, value);
    return value;
  };
}
