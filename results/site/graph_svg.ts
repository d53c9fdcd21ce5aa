/** The stage graph as SVG: layers from left to right, colours by class so that light and dark pages both suit it. */
import { escape, fit, px } from "../svg.ts";

/** A node of the graph. */
export interface GraphNode {
  /** Unique name. */
  readonly name: string;
  /** Names of the nodes it needs. */
  readonly needs: readonly string[];
  /** How it stands: a class of the style sheet. */
  readonly state: string;
  /** A line under the name. */
  readonly detail: string;
  /** Where it leads; none when there is nothing to show. */
  readonly href?: string;
}

const [WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN] = [184, 50, 44, 14, 8];

/** Draws the nodes, which come after those they need. */
export function graphSvg(nodes: readonly GraphNode[]): string {
  const layers = layered(nodes);
  const place = new Map<string, { x: number; y: number }>();
  const tallest = Math.max(...layers.map((layer) => layer.length));
  layers.forEach((layer, column) => {
    const top = MARGIN + (tallest - layer.length) * (HEIGHT + GAP_Y) / 2;
    layer.forEach((node, row) => {
      place.set(node.name, { x: MARGIN + column * (WIDTH + GAP_X), y: top + row * (HEIGHT + GAP_Y) });
    });
  });
  const width = 2 * MARGIN + layers.length * (WIDTH + GAP_X) - GAP_X;
  const height = 2 * MARGIN + tallest * (HEIGHT + GAP_Y) - GAP_Y;
  const edges = nodes.flatMap((node) =>
    node.needs.map((needed) => {
      const [from, to] = [place.get(needed)!, place.get(node.name)!];
      const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
      const bend = Math.max(18, Math.min(60, (x2 - x1) / 2));
      return `<path class="edge" d="M${px(x1)} ${px(y1)}C${px(x1 + bend)} ${px(y1)} ${px(x2 - bend)} ${
        px(y2)
      } ${px(x2)} ${px(y2)}"/>`;
    })
  );
  const boxes = nodes.map((node) => {
    const { x, y } = place.get(node.name)!;
    const box = [
      `<title>${escape(`${node.name}: ${node.state}, ${node.detail}`)}</title>`,
      `<rect x="${px(x)}" y="${px(y)}" width="${WIDTH}" height="${HEIGHT}" rx="6"/>`,
      `<text class="name" x="${px(x + 12)}" y="${px(y + 21)}">${
        escape(fit(node.name, 13, WIDTH - 22))
      }</text>`,
      `<text class="detail" x="${px(x + 12)}" y="${px(y + 38)}">${
        escape(fit(node.detail, 11, WIDTH - 20))
      }</text>`,
    ].join("");
    const group = `<g class="node ${escape(node.state)}">${box}</g>`;
    return node.href === undefined ? group : `<a href="${escape(node.href)}">${group}</a>`;
  });
  const title = `Stage graph: ${nodes.map(({ name, state }) => `${name} ${state}`).join(", ")}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox="0 0 ${width} ${height}" width="${width}" ` +
    `height="${height}" role="group" aria-label="${escape(title)}">${edges.join("")}${boxes.join("")}</svg>`;
}

/** Each node in the layer after the last of those it needs, ordered so that edges cross little. */
function layered(nodes: readonly GraphNode[]): GraphNode[][] {
  const depth = new Map<string, number>();
  const layers: GraphNode[][] = [];
  for (const node of nodes) {
    const layer = Math.max(-1, ...node.needs.map((name) => depth.get(name)!)) + 1;
    depth.set(node.name, layer);
    (layers[layer] ??= []).push(node);
  }
  // Barycentres of the layer before; ties keep the graph's order.
  for (let i = 1; i < layers.length; i++) {
    const rank = new Map(
      layers.slice(0, i).flatMap((layer) => layer.map((node, row) => [node.name, row] as const)),
    );
    const centre = (node: GraphNode) =>
      node.needs.reduce((sum, name) => sum + rank.get(name)!, 0) / Math.max(1, node.needs.length);
    layers[i] = layers[i]!.toSorted((a, b) => centre(a) - centre(b));
  }
  return layers;
}
