import { openTabletop, tasks } from "../envs/tabletop.ts";
import { environmentContract } from "./environment_contract.ts";

for (const name of Object.keys(tasks)) environmentContract(`tabletop ${name}`, () => openTabletop(name));
