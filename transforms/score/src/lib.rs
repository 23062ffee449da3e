//! The Score transform: predictions on the stream.
