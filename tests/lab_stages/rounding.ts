/** Digits after the decimal point in summaries. */
export const DIGITS = 6;
