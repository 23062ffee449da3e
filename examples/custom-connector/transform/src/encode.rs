//! Geohash (G. Niemeyer, 2008): longitude and latitude are halved in turns, and every five halvings are a character.

const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// The geohash of a position in degrees, `precision` characters long; `None` for what is no position on Earth.
pub(crate) fn encode(latitude: f64, longitude: f64, precision: usize) -> Option<String> {
    // NaN is in no range.
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return None;
    }
    let mut ranges = [(longitude, -180.0, 180.0), (latitude, -90.0, 90.0)];
    let mut halvings = (0..).map(|turn: usize| {
        let (value, low, high) = &mut ranges[turn % 2];
        let middle = f64::midpoint(*low, *high);
        let upper = *value >= middle;
        *(if upper { low } else { high }) = middle;
        usize::from(upper)
    });
    let mut character = || {
        let index = halvings.by_ref().take(5).fold(0, |bits, bit| bits << 1 | bit);
        char::from(ALPHABET[index % 32])
    };
    Some((0..precision).map(|_| character()).collect())
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn known_places_have_their_known_hashes() {
        for (latitude, longitude, hash) in [
            (57.64911, 10.40744, "u4pruydqqvj"),
            (42.605, -5.603, "ezs42"),
            (-25.382_708, -49.265_506, "6gkzwgjzn820"),
            (0.0, 0.0, "s0000"),
            (90.0, 180.0, "zzzzz"),
            (-90.0, -180.0, "00000"),
        ] {
            assert_eq!(encode(latitude, longitude, hash.len()).as_deref(), Some(hash));
        }
    }

    #[test]
    fn what_is_not_on_earth_has_none() {
        for (latitude, longitude) in [(90.1, 0.0), (0.0, -180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(encode(latitude, longitude, 5), None);
        }
    }
}
