"""JSON-RPC 1.0 and 2.0 requests and answers of XAPI: integers are numbers, dates are text."""

import msgspec

from bot.lab.xapi.database import Row
from bot.lab.xapi.errors import ApiError, EmergencyError
from bot.lab.xapi.values import Date, SmallInt, Value
from bot.lab.xapi.wire.request import BadRequestError, Request

CONTENT_TYPE = "application/json"
_CACHE = "json"


def _encode_special(value: Value) -> Value:
    if isinstance(value, Date):
        return str(value)
    if isinstance(value, SmallInt):
        return int(value)
    if isinstance(value, Row):
        return msgspec.Raw(encode_row(value))
    raise TypeError(f"JSON has no {type(value).__name__}.")


_ENCODER = msgspec.json.Encoder(enc_hook=_encode_special)


def encode_row(row: Row) -> bytes:
    """Returns a record as an object, encoded once per change of it."""
    cached = row.encoded.get(_CACHE)
    if cached is None:
        cached = _ENCODER.encode(row.fields)
        row.encoded[_CACHE] = cached
    return cached


def read_request(body: bytes) -> Request:
    """Reads a method call.

    Raises:
        BadRequestError: The body is no JSON-RPC, names a version that is not 2.0, or its id is neither text nor an
            integer; a real server answers HTTP 500.
    """
    try:
        data = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise BadRequestError(str(error)) from error
    if not isinstance(data, dict):
        raise BadRequestError("not an object")
    # Version 1.0 is what does not name one.
    version = data.get("jsonrpc", "1.0")
    if "jsonrpc" in data and version != "2.0":
        raise BadRequestError("jsonrpc must be 2.0")
    number, params = data.get("id"), data.get("params", [] if version == "2.0" else None)
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise BadRequestError("id must be a string or an integer")
    if not isinstance(params, list) or not isinstance(data.get("method"), str):
        raise BadRequestError("method must be a string, params an array")
    return Request(data["method"], params, {"jsonrpc": version, "id": number})


def write_answer(value: Value, envelope: dict[str, Value]) -> bytes:
    """Returns the answer of a call that went well."""
    if envelope["jsonrpc"] == "2.0":
        return _ENCODER.encode({"jsonrpc": "2.0", "result": value, "id": envelope["id"]})
    return _ENCODER.encode({"result": value, "error": None, "id": envelope["id"]})


def write_error(error: ApiError, envelope: dict[str, Value]) -> bytes:
    """Returns the answer of a call that failed."""
    if envelope["jsonrpc"] == "2.0" and isinstance(error, EmergencyError):
        # A real server answers so in emergency mode: a bare list, and an id that is nobody's.
        return _ENCODER.encode({"jsonrpc": "2.0", "error": error.description, "id": 0})
    if envelope["jsonrpc"] == "2.0":
        described = {"code": 1, "message": error.code, "data": list(error.params)}
        return _ENCODER.encode({"jsonrpc": "2.0", "error": described, "id": envelope["id"]})
    return _ENCODER.encode({"result": None, "error": error.description, "id": envelope["id"]})
