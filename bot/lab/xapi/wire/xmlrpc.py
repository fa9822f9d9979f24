"""XML-RPC requests and answers of XAPI."""

# The lab listens on loopback and limits the body; expat itself refuses entity bombs.
import xmlrpc.client
from xml.parsers.expat import ExpatError

from bot.lab.xapi.errors import ApiError
from bot.lab.xapi.values import Date, Value
from bot.lab.xapi.wire.request import BadRequestError, Request
from bot.lab.xapi.wire.xml_values import encode_value

CONTENT_TYPE = "text/xml"


def read_request(body: bytes) -> Request:
    """Reads a method call.

    Raises:
        BadRequestError: The body is no XML-RPC; a real server answers HTTP 500.
    """
    try:
        params, method = xmlrpc.client.loads(body, use_builtin_types=False)
    except (ExpatError, xmlrpc.client.Error, ValueError, TypeError, IndexError, KeyError) as error:
        raise BadRequestError(str(error)) from error
    if method is None:
        raise BadRequestError("no method name")
    return Request(method, [simplify(value) for value in params], None)


def simplify(value: Value) -> Value:
    """Returns a value of the standard library's reader as the lab holds it.

    Raises:
        BadRequestError: There is base64 in it, which XAPI does not have.
    """
    if isinstance(value, xmlrpc.client.DateTime):
        return Date(str(value.value))
    if isinstance(value, list):
        return [simplify(item) for item in value]
    if isinstance(value, dict):
        return {key: simplify(item) for key, item in value.items()}
    if isinstance(value, xmlrpc.client.Binary):
        raise BadRequestError("unexpected base64")
    return value


def write_answer(value: Value) -> bytes:
    """Returns the answer of a call that went well."""
    return _wrap(encode_value({"Status": "Success", "Value": value}))


def write_error(error: ApiError) -> bytes:
    """Returns the answer of a call that failed; XAPI never uses XML-RPC faults for this."""
    return _wrap(encode_value({"Status": "Failure", "ErrorDescription": error.description}))


def write_bare(value: Value) -> bytes:
    """Returns an answer without the status around it, as `system.listMethods` has."""
    return _wrap(encode_value(value))


def _wrap(encoded: str) -> bytes:
    return (f'<?xml version="1.0"?><methodResponse><params><param>{encoded}</param></params></methodResponse>').encode()
