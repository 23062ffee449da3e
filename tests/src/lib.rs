//! End to end, conformance, architecture and failure tests.
