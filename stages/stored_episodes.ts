/** Episodes as other stages stored them. */
import type { Episode } from "../data/episode.ts";
import { decodeEpisodes } from "../data/episodes_arrow.ts";
import type { Artifact } from "../lab/stage.ts";

/** All episodes of some artifacts, in their order. */
export async function readEpisodes(artifacts: readonly Artifact[]): Promise<Episode[]> {
  const files = await Promise.all(artifacts.map(({ path }) => Deno.readFile(path)));
  return files.flatMap((bytes) => decodeEpisodes(bytes));
}
