"""Frames on the two pipes: uint32 LE length, a msgpack map of that length, then the raw bytes of its arrays."""

import struct
from typing import Any, BinaryIO, Dict, List, Mapping, Optional, Tuple

import msgpack
import numpy as np
from worker_process.loop import Arrays, Wire
from worker_process.pipes import PipeError, read_exactly

DTYPES = {"f4": np.dtype("<f4"), "f8": np.dtype("<f8"), "u1": np.dtype("u1")}
CODES = {dtype: code for code, dtype in DTYPES.items()}

# A header holds names and numbers; one beyond this is garbage on the pipe, not a request.
LARGEST_HEADER = 1 << 24
LARGEST_ARRAY = 1 << 28


class FrameError(PipeError):
    """The bytes read are no frame."""


def read_frame(stream: BinaryIO) -> Optional[Tuple[Dict[str, Any], Arrays]]:
    """Reads one frame: its header and its arrays by name (read-only). None at the end of the stream."""
    prefix = read_exactly(stream, 4)
    if prefix is None:
        return None
    (length,) = struct.unpack("<I", prefix)
    if length > LARGEST_HEADER:
        raise FrameError(f"a header of {length} bytes")
    body = read_exactly(stream, length)
    if body is None:
        raise FrameError("the stream ended before a header")
    try:
        header = msgpack.unpackb(body)
    except (ValueError, msgpack.UnpackException) as error:
        raise FrameError(f"a header that is no msgpack: {error}") from error
    if not isinstance(header, dict):
        raise FrameError("a header that is no map")
    return header, {name: _read_array(stream, code, shape) for name, code, shape in header.get("arrays", [])}


def _read_array(stream: BinaryIO, code: str, shape: List[int]) -> np.ndarray:
    if code not in DTYPES:
        raise FrameError(f"an array of unknown type {code!r}")
    dtype = DTYPES[code]
    size = dtype.itemsize
    for side in shape:
        size *= side
    if size < 0 or size > LARGEST_ARRAY:
        raise FrameError(f"an array of {size} bytes")
    data = read_exactly(stream, size)
    if data is None:
        raise FrameError("the stream ended before an array")
    return np.frombuffer(data, dtype).reshape(shape)


def encode_frame(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of `header` with `arrays` (float32, float64 or uint8; in the order of the mapping) behind it."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    listed = [[name, CODES[array.dtype], list(array.shape)] for name, array in whole.items()]
    body = msgpack.packb({**header, "arrays": listed})
    return b"".join([struct.pack("<I", len(body)), body, *(array.tobytes() for array in whole.values())])


FRAMES = Wire(read_frame, encode_frame)
