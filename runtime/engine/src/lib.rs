//! Runs one task well: chain, tolerance, offsets, source loop, sink loop.
