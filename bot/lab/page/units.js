// Amounts as people read them.

/** "4 GiB" for bytes. */
export function sayBytes(bytes) {
  const gib = Number(bytes) / 2 ** 30;
  if (!Number.isFinite(gib)) return "?";
  if (gib >= 1024) return `${(gib / 1024).toFixed(1)} TiB`;
  return gib >= 10 ? `${Math.round(gib)} GiB` : `${gib.toFixed(1).replace(/\.0$/, "")} GiB`;
}

/** "12 KiB" for the bytes of a file. */
export function saySize(bytes) {
  if (!Number.isFinite(Number(bytes))) return "unknown size";
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const amount = bytes / 1024 ** step;
  return `${step === 0 || amount >= 10 ? Math.round(amount) : amount.toFixed(1)} ${units[step]}`;
}
