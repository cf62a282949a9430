/** Makes a value at its first use and keeps it. A failure is not kept: the next use tries again. */
export function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => {
    if (made) return made.value;
    const value = make();
    made = { value };
    if (value instanceof Promise) value.catch(() => made = undefined);
    return value;
  };
}
