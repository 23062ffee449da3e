//! Names that nobody else chooses.

use std::hash::{BuildHasher as _, RandomState};

/// 128 bits that no other call has. The standard library seeds its hash maps from the system's randomness and never
/// twice the same, which is all the randomness that a name needs.
fn random_bits() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    half() << 64 | half()
}

/// [`random_bits`] in the form of a random UUID (version 4).
pub fn random_name() -> String {
    let bits = (random_bits() & !(0xf000 << 64) & !(0b11 << 62)) | 0x4000 << 64 | 0b10 << 62;
    let (high, low) = ((bits >> 64) & u128::from(u64::MAX), bits & u128::from(u64::MAX));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// 16 bytes that no other call has.
#[must_use]
pub fn random_bytes() -> [u8; 16] {
    random_bits().to_be_bytes()
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
