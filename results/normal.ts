/** Quantiles of the normal law and of Student's. */

/**
 * Quantile of the standard normal law (Wichura 1988, algorithm AS 241, PPND16; relative error below 1e-15).
 *
 * @param p in (0, 1)
 */
export function normalQuantile(p: number): number {
  const horner = (x: number, coefficients: readonly number[]) =>
    coefficients.reduceRight((sum, c) => sum * x + c, 0);
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return q * horner(r, central[0]) / horner(r, central[1]);
  }
  const r = Math.sqrt(-Math.log(Math.min(p, 1 - p)));
  const [numerator, denominator, shift] = r <= 5 ? [...middle, 1.6] as const : [...tail, 5] as const;
  return Math.sign(q) * horner(r - shift, numerator) / horner(r - shift, denominator);
}

// deno-fmt-ignore
const central = [
  [3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
    4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3],
  [1, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3, 2.1213794301586595867e+4,
    3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3],
] as const;
// deno-fmt-ignore
const middle = [
  [1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
    1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4],
  [1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
    1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9],
] as const;
// deno-fmt-ignore
const tail = [
  [6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7],
  [1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
    1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15],
] as const;

/**
 * Quantile of Student's law with a whole number of degrees of freedom, by bisection of its closed form
 * (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).
 *
 * @param p in (0, 1)
 * @param freedom 1, 2, ...
 */
export function studentQuantile(p: number, freedom: number): number {
  if (p === 0.5) return 0;
  const central = Math.abs(2 * p - 1);
  // The angle atan(t / √freedom) lies in (0, π/2) and P(|T| < t) grows with it.
  let [low, high] = [0, Math.PI / 2];
  for (let i = 0; i < 100; i++) {
    const half = (low + high) / 2;
    if (studentCentral(half, freedom) < central) low = half;
    else high = half;
  }
  return Math.sign(p - 0.5) * Math.sqrt(freedom) * Math.tan((low + high) / 2);
}

/** P(|T| < √freedom · tan(angle)). */
function studentCentral(angle: number, freedom: number): number {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = freedom % 2 === 1;
  if (freedom === 1) return 2 * angle / Math.PI;
  let term = odd ? cosine : 1;
  let sum = term;
  for (let k = odd ? 3 : 2; k <= freedom - 2; k += 2) {
    term *= (k - 1) / k * cosine * cosine;
    sum += term;
  }
  return odd ? 2 / Math.PI * (angle + sine * sum) : sine * sum;
}
