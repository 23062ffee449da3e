//! Rows to Arrow batches, once for every column-writing sink.
