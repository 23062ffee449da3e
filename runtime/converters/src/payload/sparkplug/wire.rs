//! Protobuf's wire format, as far as Sparkplug needs it.

/// The fields of a message, one after another.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// What is wrong with a message.
pub(super) type Wrong = &'static str;

const CUT_OFF: Wrong = "it is cut off";

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and value, none at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, Wrong> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT_OFF)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err("a field has a wire type that is not known"),
        };
        match tag >> 3 {
            0 => Err("a field has the number 0"),
            number => Ok(Some((number, value))),
        }
    }

    /// Numbers that are written one behind another.
    pub(super) fn packed(numbers: &'a [u8]) -> Result<Vec<u64>, Wrong> {
        let mut fields = Self::of(numbers);
        let mut read = Vec::new();
        while !fields.rest.is_empty() {
            read.push(fields.varint()?);
        }
        Ok(read)
    }

    fn varint(&mut self) -> Result<u64, Wrong> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(CUT_OFF)?;
            self.rest = rest;
            // Bits beyond 64 are dropped, as everybody does.
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number is longer than ten bytes")
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        self.take(N)?.try_into().map_err(|_| CUT_OFF)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Wrong> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Wire<'a> {
    pub(super) fn number(self) -> Result<u64, Wrong> {
        match self {
            Wire::Varint(number) => Ok(number),
            _ => Err("a field that is a number is something else"),
        }
    }

    pub(super) fn flag(self) -> Result<bool, Wrong> {
        Ok(self.number()? != 0)
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], Wrong> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err("a field that is text, bytes or a message is something else"),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Wrong> {
        str::from_utf8(self.bytes()?).map_err(|_| "a text is not UTF-8")
    }

    pub(super) fn float(self) -> Result<f32, Wrong> {
        match self {
            Wire::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err("a field that is a float is something else"),
        }
    }

    pub(super) fn double(self) -> Result<f64, Wrong> {
        match self {
            Wire::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err("a field that is a double is something else"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_all_kinds() {
        let mut fields =
            Fields::of(b"\x08\x96\x01\x12\x02hi\x1d\x00\x00\x80\x3f\x21\x00\x00\x00\x00\x00\x00\xf0\x3f");
        assert_eq!(fields.next(), Ok(Some((1, Wire::Varint(150)))));
        assert_eq!(fields.next(), Ok(Some((2, Wire::Bytes(b"hi")))));
        assert_eq!(fields.next().unwrap().unwrap().1.float(), Ok(1.0));
        assert_eq!(fields.next().unwrap().unwrap().1.double(), Ok(1.0));
        assert_eq!(fields.next(), Ok(None));
    }

    #[test]
    fn packed_numbers() {
        assert_eq!(Fields::packed(b"\x01\x96\x01"), Ok(vec![1, 150]));
        assert_eq!(Fields::packed(b""), Ok(Vec::new()));
        assert_eq!(Fields::packed(b"\x01\x96"), Err(CUT_OFF));
    }

    #[test]
    fn what_is_not_protobuf() {
        for (bytes, part) in [
            (&b"\x08"[..], "cut off"),
            (b"\x12\x05hi", "cut off"),
            (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "cut off"),
            (b"\x0b", "wire type"),
            (b"\x00\x00", "number 0"),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "ten bytes"),
        ] {
            assert!(Fields::of(bytes).next().unwrap_err().contains(part), "{bytes:?}");
        }
    }
}
