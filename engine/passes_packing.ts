/**
 * Small arrays that go through the same arithmetic go through it side by side: the biases and gains of a network in
 * an optimiser's step, say. ONNX Runtime pays per operator there, not per element. Runs last: other rewrites would
 * take apart again what is packed.
 */
import { countUses, type Graph, topological, type Value } from "./graph.ts";
import { concat, elementwise, isElementwise, reduce, reshape, sameShape, sliceAxis } from "./operators.ts";
import { size } from "../ndarray.ts";

/** Larger arrays are worth an operator of their own. */
const SMALL = 4096;
/** Fewer arrays, or fewer operators on each, do not pay for being put side by side and taken apart. */
const MEMBERS = 4;
const STEPS = 3;

const isNumber = (value: Value) => size(value.shape) === 1;
const isSmall = ({ dtype, shape }: Value) => dtype === "float32" && size(shape) > 1 && size(shape) <= SMALL;

// One operation on small arrays of one shape and on single numbers.
function isStep(value: Value): boolean {
  return isElementwise(value.op) && isSmall(value) &&
    value.inputs.every((x) => isNumber(x) || (x.dtype === "float32" && sameShape(x.shape, value.shape)));
}

const operands = (step: Value) => step.inputs.filter((x) => !isNumber(x));

/** The arrays that a tree of steps starts from, and the number of steps. */
function tree(root: Value): { leaves: Set<Value>; steps: number } {
  const leaves = new Set<Value>();
  const seen = new Set<Value>([root]);
  const stack = [root];
  for (let value = stack.pop(); value; value = stack.pop()) {
    for (const input of operands(value)) {
      if (!isStep(input)) leaves.add(input);
      else if (!seen.has(input)) {
        seen.add(input);
        stack.push(input);
      }
    }
  }
  return { leaves, steps: seen.size };
}

// Optimisers meet the same gradient in every tree of a parameter, and it is the newest array there. Ordered by it, the
// members of all their groups stand in one order, and what two groups share is packed once.
function newest(root: Value): number {
  return Math.max(...[...tree(root).leaves].map(({ id }) => id));
}

/** Steps that something else than a step reads, grouped by form: same operations, shape and numbers. */
function groups(roots: readonly Value[]): Value[][] {
  const order = topological(roots);
  const ends = new Set(roots.filter(isStep));
  for (const value of order) {
    if (!isStep(value)) value.inputs.filter(isStep).forEach((input) => ends.add(input));
  }
  const forms = new Map<string, number>();
  const formOf = new Map<Value, number>();
  const grouped = new Map<number, Value[]>();
  for (const value of order) {
    if (!isStep(value)) continue;
    const inputs = value.inputs.map((x) => isNumber(x) ? `#${x.id}` : formOf.get(x) ?? "leaf");
    const form = JSON.stringify([value.op, value.attributes, value.shape, inputs]);
    if (!forms.has(form)) forms.set(form, forms.size);
    formOf.set(value, forms.get(form)!);
    if (ends.has(value)) grouped.set(forms.get(form)!, [...grouped.get(forms.get(form)!) ?? [], value]);
  }
  return [...grouped.values()].filter((members) =>
    members.length >= MEMBERS && tree(members[0]!).steps >= STEPS
  )
    .map((members) => members.toSorted((a, b) => newest(a) - newest(b)));
}

// Arrays that are computed from one another cannot be computed at once.
function independent(members: readonly Value[]): boolean {
  const leaves = members.flatMap((member) => [...tree(member).leaves]);
  const below = new Set(topological(leaves));
  return members.every((member) => !below.has(member));
}

/** One value that holds all of `values`, which have one form, side by side along the last axis. */
function sideBySide(graph: Graph, values: readonly Value[], done: Map<string, Value>): Value {
  const key = String(values.map(({ id }) => id));
  const known = done.get(key);
  if (known) return known;
  const first = values[0]!;
  const packed = values.every(isStep) && values.every((value) => value.op === first.op)
    ? elementwise(
      graph,
      first.op,
      first.inputs.map((x, i) =>
        isNumber(x) ? x : sideBySide(graph, values.map((value) => value.inputs[i]!), done)
      ),
      first.attributes,
      first.dtype,
    )
    : whole(values) ?? concat(graph, values, first.shape.length - 1);
  done.set(key, packed);
  return packed;
}

// The array whose slices the values are, as an earlier packing made them.
function whole(values: readonly Value[]): Value | undefined {
  const source = values[0]!.inputs[0];
  const axis = values[0]!.shape.length - 1;
  const width = values[0]!.shape[axis]!;
  const follow = values.every((value, i) =>
    value.op === "Slice" && value.inputs[0] === source &&
    (value.attributes["start"] as readonly number[]).every((start, at) =>
      start === (at === axis ? i * width : 0)
    )
  );
  return follow && source!.shape[axis] === values.length * width ? source : undefined;
}

function replace(graph: Graph, roots: readonly Value[], replaced: ReadonlyMap<Value, Value>): Value[] {
  const done = new Map<Value, Value>();
  for (const value of topological(roots)) {
    const next = replaced.get(value);
    done.set(value, next ?? graph.withInputs(value, value.inputs.map((input) => done.get(input)!)));
  }
  return roots.map((root) => done.get(root)!);
}

function packSteps(graph: Graph, roots: readonly Value[]): Value[] {
  let current = [...roots];
  // Groups are found anew after each packing, since it renames what depends on it.
  for (let skip = 0;;) {
    const members = groups(current)[skip];
    if (!members) return current;
    if (!independent(members)) {
      skip++;
      continue;
    }
    const packed = sideBySide(graph, members, new Map());
    const axis = packed.shape.length - 1;
    const width = members[0]!.shape[axis]!;
    current = replace(
      graph,
      current,
      new Map(members.map((member, i) => [member, sliceAxis(graph, packed, axis, i * width, width)])),
    );
  }
}

// The array under Σ x² over all of its axes.
function squared(term: Value): Value | undefined {
  const sum = term.op === "Reshape" ? term.inputs[0]! : term;
  const x = sum.inputs[0];
  if (sum.op !== "ReduceSumSquare" || !x || !isSmall(x)) return undefined;
  return (sum.attributes["axes"] as readonly number[]).length === x.shape.length ? x : undefined;
}

const isSum = (value: Value) => value.op === "Add" && isNumber(value);

// What a sum adds up, through the sums that nothing else reads.
function terms(sum: Value, uses: ReadonlyMap<Value, number>): Value[] {
  return sum.inputs.flatMap((x) => isSum(x) && uses.get(x) === 1 ? terms(x, uses) : [x]);
}

// Σ a² + Σ b² + …, as in the norm of all gradients, is Σ [a b …]².
function packSquares(graph: Graph, roots: readonly Value[]): Value[] {
  const uses = countUses(roots);
  // From the outputs back, so that a sum is met before the sums it reads.
  for (const value of topological(roots).reverse()) {
    if (!isSum(value)) continue;
    const added = terms(value, uses);
    const byShape = Map.groupBy(
      added.flatMap((term) => squared(term) ?? []),
      ({ shape }) => String(shape),
    );
    const packed = [...byShape.values()].filter((members) => members.length >= MEMBERS);
    if (packed.length === 0) continue;
    const gone = new Set(packed.flat());
    const rest = added.filter((term) => !gone.has(squared(term)!));
    const sums = packed.map((members) => {
      const sorted = members.toSorted((a, b) => a.id - b.id);
      const all = concat(graph, sorted, sorted[0]!.shape.length - 1);
      return reshape(
        graph,
        reduce(graph, "ReduceSumSquare", all, all.shape.map((_, i) => i), true),
        value.shape,
      );
    });
    const sum = [...rest, ...sums].reduce((total, term) => elementwise(graph, "Add", [total, term]));
    // One sum at a time: what another starts from may depend on this one.
    return packSquares(graph, replace(graph, roots, new Map([[value, sum]])));
  }
  return [...roots];
}

/** The same values with small arrays of one form computed side by side. */
export function pack(graph: Graph, roots: readonly Value[]): Value[] {
  return packSteps(graph, packSquares(graph, roots));
}
