/** Numbers as text, the same in every locale. */
import type { Interval } from "./statistics.ts";

/** 0.8333 → "83.3 %". */
export function percent(rate: number, digits = 1): string {
  return `${(100 * rate).toFixed(digits)} %`;
}

/** A difference of rates in percentage points, signed: 0.125 → "+12.5". */
export function points(difference: number): string {
  const text = (100 * difference).toFixed(1);
  return Number(text) > 0 ? `+${text}` : text === "-0.0" ? "0.0" : text;
}

/** Bounds of a rate in percent: "[78.6, 95.7]". */
export function percentBounds({ low, high }: Interval): string {
  return `[${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}

/** Bounds of a difference in percentage points: "[+2.1, +9.0]". */
export function pointBounds({ low, high }: Interval): string {
  return `[${points(low)}, ${points(high)}]`;
}

/** "0.032", or "< 0.001"; "-" where there was no test. */
export function pValue(p: number | null): string {
  return p === null ? "-" : p < 0.001 ? "< 0.001" : p.toFixed(3);
}

/** 1234567 → "1,234,567". */
export function count(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Seconds as "0.4 s", "42 s", "3 min 05 s" or "2 h 07 min". */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}
