"""The answers that are no RPC: pages for people who come with a browser, and for broken requests."""

import html

from aiohttp import web

_HEADERS = {"Cache-Control": "no-cache, no-store", "Content-Type": "text/html"}


def refuse_page() -> web.Response:
    """Returns 403: no handler for that path."""
    body = "<html><body><h1>HTTP 403 forbidden</h1>Access to the requested resource is forbidden.</body></html>"
    return web.Response(status=403, reason="Forbidden", body=body.encode(), headers=_HEADERS)


def refuse_method(method: str) -> web.Response:
    """Returns 501 for a method that XAPI does not know."""
    body = (
        "<html><body><h1>HTTP 501 Method Not Implemented</h1>"
        f"<p>{html.escape(method)} not supported.<br /></p></body></html>"
    )
    return web.Response(status=501, reason="Method not implemented", body=body.encode(), headers=_HEADERS)


def report_failure(information: str) -> web.Response:
    """Returns 500 with the text that XAPI puts under "Additional information"."""
    body = (
        "<html><body><h1>HTTP 500 internal server error</h1>An unexpected error occurred; please wait a while "
        "and try again. If the problem persists, please contact your support representative."
        f"<h1> Additional information </h1>{html.escape(information)}</body></html>"
    )
    return web.Response(status=500, reason="Internal Error", body=body.encode(), headers=_HEADERS)


def refuse_headers() -> web.Response:
    """Returns 431 for more than 1024 bytes of headers, with which a real server closes the connection."""
    response = web.Response(status=431, reason="Request Header Fields Too Large", headers=_HEADERS)
    response.force_close()
    return response


def answer_options() -> web.Response:
    """Returns what a browser asks before a call from another origin."""
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "X-Requested-With",
        "Access-Control-Allow-Methods": "PUT",
        "Cache-Control": "no-cache, no-store",
    }
    return web.Response(status=200, headers=headers)
