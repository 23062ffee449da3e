//! Requests answered with nothing but an error, in every place the answer has for one.

mod groups;
mod topics;

use kafka_protocol::{
    ResponseError,
    messages::{RequestKind, ResponseKind},
};

/// The answer to a request that failed as a whole; `None` where the protocol has no place to say so.
pub(crate) fn refusal(version: i16, request: &RequestKind, error: ResponseError) -> Option<ResponseKind> {
    let code = error.code();
    topics::refusal(version, request, code).or_else(|| groups::refusal(version, request, code))
}
