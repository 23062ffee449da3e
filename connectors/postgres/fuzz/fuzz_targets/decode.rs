//! Bytes as a message of `pgoutput`, every tuple of it walked.

#![no_main]

use lavka_connector_postgres::pgoutput::{Message, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match decode(input) {
        Ok(Message::Truncate(truncate)) => assert!(truncate.relations().count() <= input.len()),
        // What was read shows all that it holds.
        Ok(message) => assert!(!format!("{message:?}").is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
