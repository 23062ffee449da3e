//! The lake sink: Parquet and JSON lines with exactly-once files.
