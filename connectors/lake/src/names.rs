//! Names that nobody else chooses.

use std::hash::{BuildHasher as _, RandomState};

/// 128 bits that no other call has, in the form of a random UUID (version 4). The standard library seeds its hash
/// maps from the system's randomness and never twice the same, which is all the randomness that a name needs.
pub(crate) fn random_name() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    let high = (half() & !0xf000) | 0x4000;
    let low = (half() & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_uuids_and_differ() {
        let names: std::collections::HashSet<String> = (0..1000).map(|_| random_name()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| name.len() == 36 && name.as_bytes()[14] == b'4'));
    }
}
