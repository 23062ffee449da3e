//! What a request's options must be before anything is done for it.

use coap_lite::Packet;
use lavka_api::data::Str;

use super::answer::Answer;
use crate::wire::{self, code, option};

/// The answer to a request with options that cannot be met. A critical option (an odd number) that is not known must not
/// be passed over (RFC 7252, section 5.4.1).
pub(super) fn options(packet: &Packet) -> Option<Answer> {
    const KNOWN: [u16; 6] = [
        option::URI_HOST,
        option::URI_PORT,
        option::URI_PATH,
        option::URI_QUERY,
        option::ACCEPT,
        option::BLOCK1,
    ];
    let mut refusal = None;
    for (number, _) in packet.options() {
        match *number {
            option::PROXY_URI | option::PROXY_SCHEME => {
                return Some(Answer::of(code::PROXYING_NOT_SUPPORTED));
            }
            option::BLOCK2 => {}
            number if number % 2 == 1 && !KNOWN.contains(&number) => {
                refusal =
                    Some(Answer::of(code::BAD_OPTION).saying(&format!("option {number} is not supported")));
            }
            _ => {}
        }
    }
    refusal
}

/// The segments of the path; none if one is not UTF-8.
pub(super) fn path(packet: &Packet) -> Option<Vec<&str>> {
    wire::all(packet, option::URI_PATH).map(|segment| std::str::from_utf8(segment).ok()).collect()
}

/// The query's parts, those that are UTF-8.
pub(super) fn query(packet: &Packet) -> Vec<Str> {
    wire::all(packet, option::URI_QUERY).filter_map(|part| Str::from_utf8(part).ok()).collect()
}
