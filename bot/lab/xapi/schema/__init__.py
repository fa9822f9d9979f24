"""The data model of the simulated XAPI: classes, fields, types, defaults."""
