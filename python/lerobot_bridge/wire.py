"""Messages on the two pipes: uint32 LE length, then one msgpack map whose arrays are encoded as openpi's client has it."""

import struct
from typing import Any, BinaryIO, Dict, Mapping, Optional

import msgpack
import numpy as np
from worker_process.loop import Request, Wire
from worker_process.pipes import PipeError, read_exactly

# A batch of camera pictures is some megabytes; anything beyond this is garbage on the pipe.
LARGEST = 1 << 30


class WireError(PipeError):
    """The bytes read are no message."""


def _pack_array(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in ("V", "O", "c"):
        raise WireError(f"an array of type {value.dtype}")
    if isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value)
        return {b"__ndarray__": True, b"data": data.tobytes(), b"dtype": data.dtype.str, b"shape": data.shape}
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    return value


def _unpack_array(value: Mapping[Any, Any]) -> Any:
    if b"__ndarray__" in value:
        return np.ndarray(buffer=value[b"data"], dtype=np.dtype(value[b"dtype"]), shape=value[b"shape"])
    if b"__npgeneric__" in value:
        return np.dtype(value[b"dtype"]).type(value[b"data"])
    return value


def pack(message: Mapping[str, Any]) -> bytes:
    """The bytes of a message without its length."""
    return msgpack.packb(message, default=_pack_array)


def unpack(body: bytes) -> Dict[str, Any]:
    """The message in some bytes; its arrays are read-only. Raises WireError."""
    try:
        message = msgpack.unpackb(body, object_hook=_unpack_array, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise WireError(f"bytes that are no message: {error}") from error
    if not isinstance(message, dict):
        raise WireError("a message that is no map")
    return message


def read_message(stream: BinaryIO) -> Optional[Request]:
    """Reads one message, whose arrays are among its fields; None at the end of the stream. Raises PipeError."""
    prefix = read_exactly(stream, 4)
    if prefix is None:
        return None
    (length,) = struct.unpack("<I", prefix)
    if length > LARGEST:
        raise WireError(f"a message of {length} bytes")
    body = read_exactly(stream, length)
    if body is None:
        raise WireError("the stream ended before a message")
    return unpack(body), {}


def encode_message(message: Mapping[str, Any], _: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a message behind their length."""
    body = pack(message)
    return struct.pack("<I", len(body)) + body


MESSAGES = Wire(read_message, encode_message)
