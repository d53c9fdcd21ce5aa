/** The API key of a policy server: a secret of whoever runs a stage, in no parameter, key, log or record. */

/** The variable that holds it. */
export const variable = "OPENPI_API_KEY";

/** The key, if there is one. */
export function apiKey(): string | undefined {
  return Deno.env.get(variable) || undefined;
}
