"""How a call of the simulated XAPI fails.

`ApiError` is an answer that the client sees; the others never reach it as text.
"""


class ApiError(Exception):
    """An API failure: still HTTP 200, the failure is in the body.

    Args:
        code: The XAPI code, for example `HANDLE_INVALID`.
        *params: Its parameters; the wire sends all of them as strings.
    """

    def __init__(self, code: str, *params: str) -> None:
        super().__init__(code, *params)
        self.code = code
        self.params = params

    @property
    def description(self) -> list[str]:
        """Returns code and parameters as `ErrorDescription` carries them."""
        return [self.code, *self.params]


class EmergencyError(ApiError):
    """The failure of a host in emergency mode, which JSON-RPC 2.0 wraps in a shape of its own."""


def driver_failure(number: int, text: str, found: str = "") -> ApiError:
    """Returns the failure of a storage driver: three parameters, as a real server sends it.

    Args:
        number: Part of the code.
        text: The parameter in the middle.
        found: The last parameter: what the driver found that may be chosen from, as XML; empty most of the time.
    """
    return ApiError(f"SR_BACKEND_FAILURE_{number}", "", text, found)


class ConnectionDroppedError(Exception):
    """The connection is closed without an answer; whether the call took effect is told by who raised it."""


class LoopbackMissing(Exception):
    """This machine has no such loopback addresses (macOS has only 127.0.0.1).

    Args:
        addresses: The addresses that could not be bound.
    """

    def __init__(self, addresses: list[str]) -> None:
        lines = "\n".join(f"sudo ifconfig lo0 alias {address} up" for address in addresses)
        super().__init__(f"The lab needs more loopback addresses. Add them with:\n{lines}")
        self.addresses = addresses
