/** @jsxImportSource hono/jsx */
/** The first rows of a stored table, and the head of a stored JSON document. */
import { decodeTable } from "../../data/table.ts";
import type { Output } from "../../lab/store.ts";
import { Table } from "./layout.tsx";
import type { Reader } from "./reader.ts";

const ROWS = 20;
const LARGEST = 4 << 20;
const HEAD = 2000;

/** What can be shown of an output in place; nothing for weights, programs and large ones. */
export function preview(name: string, { digest, bytes, mediaType }: Output, reader: Reader) {
  if (bytes > LARGEST) return null;
  const arrow = mediaType === "application/vnd.apache.arrow.file";
  if (!arrow && mediaType !== "application/json") return null;
  try {
    const stored = reader.read(digest);
    if (!arrow) {
      const text = JSON.stringify(JSON.parse(new TextDecoder().decode(stored)), null, 2);
      return (
        <details>
          <summary>{`${name}: JSON`}</summary>
          <pre
            tabindex={0}
          >{text.length > HEAD ? `${text.slice(0, HEAD)}\n… ${text.length - HEAD} characters more` : text}</pre>
        </details>
      );
    }
    const table = decodeTable(stored);
    const names = Object.keys(table);
    const rows = table[names[0]!]!.length;
    return (
      <details>
        <summary>{`${name}: table of ${rows} ${rows === 1 ? "row" : "rows"}`}</summary>
        <Table
          caption={rows > ROWS ? `The first ${ROWS} rows` : "All rows"}
          head={names}
          align={names.map((each) => Array.isArray(table[each]) ? "l" : "r").join("")}
          rows={Array.from({ length: Math.min(ROWS, rows) }, (_, i) =>
            names.map((each) => cell(table[each]![i])))}
        />
      </details>
    );
  } catch {
    return null; // lists of vectors have a page of their own; damage is said where the object is asked for
  }
}

const cell = (value: unknown) =>
  typeof value === "number"
    ? (Number.isInteger(value) ? String(value) : value.toPrecision(6))
    : String(value);
