/** `exp gc`: drops what no experiment or pin reaches. */
import { collect } from "../lab/gc.ts";
import type { Session } from "./session.ts";
import { short, size, table } from "./table.ts";

/** Lists what is unreachable; drops it when `yes`. */
export async function gcCommand(
  { yes }: { readonly yes?: true | undefined },
  session: Session,
): Promise<number> {
  const { store, catalog, json } = session;
  const collection = await collect(catalog, store, { drop: yes === true });
  const { outcomes, objects, bytes, files, kept } = collection;
  if (json) {
    console.log(JSON.stringify({ dropped: yes === true, ...collection }, null, 2));
    return 0;
  }
  const rows = outcomes.map((
    { key, experiment, name, created },
  ) => [short(key), `${experiment}/${name}`, created]);
  if (rows.length > 0) console.log(table(["key", "stage", "made"], rows) + "\n");
  const what = `${outcomes.length} outcomes, ${objects.length} objects (${
    size(bytes)
  }), ${files.length} other files`;
  if (yes) console.log(`Dropped ${what}; kept ${kept} outcomes`);
  else console.log(`Would drop ${what}; would keep ${kept} outcomes. exp gc --yes drops them`);
  return 0;
}
