"""How the simulated XAPI speaks: XML-RPC, JSON-RPC, HTTP. Nothing here knows a rule."""
