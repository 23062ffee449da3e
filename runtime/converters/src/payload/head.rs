//! The heads of CBOR data items (RFC 8949, section 3).

use lavka_api::{Error, Result};

/// Bytes that are being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The major types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Major {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Tag,
    Simple,
}

/// A head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) major: Major,
    /// The low five bits: of simple values and floats they tell which.
    pub(super) info: u8,
    /// None for an indefinite length, and for a break.
    pub(super) argument: Option<u64>,
}

impl Head {
    /// Whether this ends something of indefinite length.
    pub(super) fn is_break(self) -> bool {
        self.major == Major::Simple && self.argument.is_none()
    }
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// A data error at the current place.
    pub(super) fn error(&self, what: &str) -> Error {
        Error::data(format!("the payload is not CBOR: {what} at byte {}", self.at))
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.error("an item that is longer than the rest"))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<u64> {
        let bytes = self.take(N as u64)?;
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    pub(super) fn head(&mut self) -> Result<Head> {
        let Some(&initial) = self.bytes.get(self.at) else {
            return Err(self.error("the end of the payload"));
        };
        let major = match initial >> 5 {
            0 => Major::Unsigned,
            1 => Major::Negative,
            2 => Major::Bytes,
            3 => Major::Text,
            4 => Major::Array,
            5 => Major::Map,
            6 => Major::Tag,
            _ => Major::Simple,
        };
        let info = initial & 0x1f;
        let endless = matches!(major, Major::Bytes | Major::Text | Major::Array | Major::Map | Major::Simple);
        if matches!(info, 28..=30) || (info == 31 && !endless) {
            return Err(self.error("a reserved length"));
        }
        self.at += 1;
        let argument = match info {
            24 => Some(self.number::<1>()?),
            25 => Some(self.number::<2>()?),
            26 => Some(self.number::<4>()?),
            27 => Some(self.number::<8>()?),
            31 => None,
            small => Some(small.into()),
        };
        Ok(Head { major, info, argument })
    }
}

/// A half-precision number (RFC 8949, appendix D).
pub(super) fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1f);
    let mantissa = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => mantissa * (-24f64).exp2(),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (mantissa + 1024.0) * f64::from(exponent - 25).exp2(),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        for (bits, expected) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0x3e00, 1.5),
            (0x7bff, 65_504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 0.000_061_035_156_25),
            (0xc400, -4.0),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), expected, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn heads() {
        let head = |bytes: &[u8]| Input::new(bytes).head();
        assert_eq!(head(&[0x17]).unwrap(), Head { major: Major::Unsigned, info: 23, argument: Some(23) });
        assert_eq!(head(&[0x19, 1, 0]).unwrap().argument, Some(256));
        assert_eq!(head(&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255]).unwrap().argument, Some(u64::MAX));
        assert!(head(&[0xff]).unwrap().is_break());
        for bad in [&[][..], &[0x1c], &[0x1f], &[0xdf], &[0x19, 1]] {
            assert!(head(bad).is_err(), "{bad:?}");
        }
    }
}
