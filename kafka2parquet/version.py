"""The version of this library, for what it writes down and what it tells."""

VERSION = "0.1.0"
