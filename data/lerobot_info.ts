/** `meta/info.json` of a LeRobot data set: its version, its features, and where its files are. */

/** Layouts on disk. */
export type LeRobotVersion = "v2.0" | "v2.1" | "v3.0";

/** A feature: what every frame holds under a name. */
export interface Feature {
  /** NumPy's name of a number type, or "bool", "string", "image", "video", "language" (annotations, which are not read). */
  readonly dtype: string;
  /** Shape of a frame's value, [1] for one number. Images: height, width, channels, unless `names` say otherwise. */
  readonly shape: readonly number[];
  /** Names of the entries, as the data set writes them: a list, a record, or null. */
  readonly names?: unknown;
  /** Codec and the like, of videos. */
  readonly info?: unknown;
}

/** A data set's description. */
export interface LeRobotInfo {
  /** Layout on disk. */
  readonly version: LeRobotVersion;
  /** Frames per second, positive. */
  readonly fps: number;
  /** Features by name, in order. */
  readonly features: Readonly<Record<string, Feature>>;
  /** Number of episodes. */
  readonly episodes: number;
  /** Frames of all episodes. */
  readonly frames: number;
  /** Number of different tasks. */
  readonly tasks: number;
  /** Files of a chunk (v3.0), episodes of a chunk (v2.x). */
  readonly chunkSize: number;
  /** Size at which a new file starts, MiB (v3.0). */
  readonly dataFileMegabytes: number;
  /** Where frames are: Python's format string. */
  readonly dataPath: string;
  /** Where videos are; null where there are none. */
  readonly videoPath: string | null;
  /** What recorded it. */
  readonly robot: string | null;
  /** Episode ranges by name, e.g. train: "0:10". */
  readonly splits: Readonly<Record<string, string>>;
}

/** Number types a feature may have. */
export const numberTypes = [
  "float32",
  "float64",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
] as const;

/** The features every frame has, in LeRobot's order. */
export const defaultFeatures: Readonly<Record<string, Feature>> = {
  timestamp: { dtype: "float32", shape: [1], names: null },
  frame_index: { dtype: "int64", shape: [1], names: null },
  episode_index: { dtype: "int64", shape: [1], names: null },
  index: { dtype: "int64", shape: [1], names: null },
  task_index: { dtype: "int64", shape: [1], names: null },
};

/** Path templates of version 3. */
export const paths = {
  info: "meta/info.json",
  statistics: "meta/stats.json",
  tasks: "meta/tasks.parquet",
  episodes: "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
  data: "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
  video: "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
} as const;

/** Whether a feature has a column of numbers. */
export const isNumeric = ({ dtype }: Feature): boolean => (numberTypes as readonly string[]).includes(dtype);

/**
 * Reads what `meta/info.json` holds; `where` is how errors call it. Fields that nobody knows are left alone, as LeRobot does.
 *
 * @throws {SyntaxError} when a field is missing or impossible, or a feature has an unknown type
 */
export function parseInfo(raw: Readonly<Record<string, unknown>>, where: string): LeRobotInfo {
  const bad = (field: string, wanted: string): never => {
    throw new SyntaxError(
      `Cannot read "${field}" of ${where}: ${JSON.stringify(raw[field])} must be ${wanted}`,
    );
  };
  const count = (field: string, least: number, otherwise?: number): number => {
    const value = raw[field] ?? otherwise;
    return Number.isSafeInteger(value) && value as number >= least
      ? value as number
      : bad(field, `an integer from ${least} on`);
  };
  const version = raw.codebase_version;
  if (version !== "v2.0" && version !== "v2.1" && version !== "v3.0") {
    return bad("codebase_version", "v2.0, v2.1 or v3.0");
  }
  const fps = raw.fps;
  if (typeof fps !== "number" || !(fps > 0) || !Number.isFinite(fps)) return bad("fps", "a positive number");
  if (!isRecord(raw.features)) return bad("features", "a record of features");
  const features: Record<string, Feature> = {};
  for (const [name, feature] of Object.entries(raw.features)) {
    features[name] = parseFeature(name, feature, version, where);
  }
  const path = (field: string, otherwise: string): string => {
    const value = raw[field] ?? otherwise;
    return typeof value === "string" ? value : bad(field, "text");
  };
  const v3 = version === "v3.0";
  return {
    version,
    fps,
    features,
    episodes: count("total_episodes", 0, 0),
    frames: count("total_frames", 0, 0),
    tasks: count("total_tasks", 0, 0),
    chunkSize: count("chunks_size", 1, 1000),
    dataFileMegabytes: count("data_files_size_in_mb", 1, 100),
    dataPath: path("data_path", v3 ? paths.data : oldPaths.data),
    videoPath: raw.video_path === null ? null : path("video_path", v3 ? paths.video : oldPaths.video),
    robot: typeof raw.robot_type === "string" ? raw.robot_type : null,
    splits: isRecord(raw.splits) ? raw.splits as Record<string, string> : {},
  };
}

/** Path templates of versions 2.0 and 2.1. */
export const oldPaths = {
  data: "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
  video: "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
} as const;

function parseFeature(name: string, value: unknown, version: LeRobotVersion, where: string): Feature {
  const fail = (wanted: string): never => {
    throw new SyntaxError(`Cannot read feature "${name}" of ${where}: ${wanted}`);
  };
  if (name === "" || (version === "v3.0" && name.includes("/"))) {
    fail("its name must be free of slashes");
  }
  if (!isRecord(value)) return fail("it must be a record with dtype and shape");
  const { dtype, shape, names, info } = value;
  if (typeof dtype !== "string" || !(numberTypes as readonly string[]).concat(others).includes(dtype)) {
    return fail(`dtype ${JSON.stringify(dtype)} must be one of ${[...numberTypes, ...others].join(", ")}`);
  }
  if (
    !Array.isArray(shape) || shape.length === 0 || shape.length > 5 ||
    !shape.every((n) => Number.isSafeInteger(n) && n > 0)
  ) {
    return fail(`shape ${JSON.stringify(shape)} must be 1 to 5 positive integers`);
  }
  return { dtype, shape, names: names ?? null, ...(info === undefined ? {} : { info }) };
}

const others = ["string", "image", "video", "language"];

/** The text of `meta/info.json`, in LeRobot's order of fields. */
export function encodeInfo(info: LeRobotInfo): string {
  return JSON.stringify(
    {
      codebase_version: info.version,
      fps: info.fps,
      features: info.features,
      total_episodes: info.episodes,
      total_frames: info.frames,
      total_tasks: info.tasks,
      chunks_size: info.chunkSize,
      data_files_size_in_mb: info.dataFileMegabytes,
      video_files_size_in_mb: 200,
      data_path: info.dataPath,
      video_path: info.videoPath,
      robot_type: info.robot,
      splits: info.splits,
    },
    null,
    4,
  ) + "\n";
}

/**
 * Fills a path template, e.g. "chunk-{chunk_index:03d}". The result stays inside the data set's folder, whatever the
 * template or a feature's name says.
 *
 * @throws {SyntaxError} when a field is unknown or the path would leave the folder
 */
export function formatPath(
  template: string,
  fields: Readonly<Record<string, number | string>>,
  where: string,
): string {
  const path = template.replace(/\{(\w+)(?::0(\d+)d)?\}/g, (_, name: string, width?: string) => {
    const value = fields[name];
    if (value === undefined) {
      const known = Object.keys(fields).join(", ");
      throw new SyntaxError(
        `Cannot fill "${template}" of ${where}: {${name}} must be one of ${known}`,
      );
    }
    return String(value).padStart(Number(width ?? 0), "0");
  });
  if (!isInside(path)) {
    throw new SyntaxError(
      `Cannot open "${path}" named by ${where}: it must lie inside the data set's folder`,
    );
  }
  return path;
}

/** Whether a path with forward slashes names a file below the folder it is relative to. */
export function isInside(path: string): boolean {
  // deno-lint-ignore no-control-regex
  if (path === "" || /[\\\u0000-\u001f]|^[a-zA-Z]:/.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/**
 * A JSON object.
 *
 * @throws {SyntaxError} when the text is none
 */
export function parseRecord(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SyntaxError(`Cannot read ${where}: it must be JSON`);
  }
  if (!isRecord(value)) throw new SyntaxError(`Cannot read ${where}: it must be a JSON object`);
  return value;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
