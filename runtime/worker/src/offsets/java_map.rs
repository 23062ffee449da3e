//! The offset file's bytes: Java's serialisation of one `HashMap<byte[], byte[]>`.
//!
//! Only this shape is read, so nothing in a file can name a class to load or ask for more memory than the file has.

use lavka_api::{Error, ErrorClass, Result};

/// Keys and values in file order; a value may be null (a tombstoned offset).
pub(super) type Entries = Vec<(Vec<u8>, Option<Vec<u8>>)>;

const HEAD: &[u8] = b"\xac\xed\x00\x05sr\x00\x11java.util.HashMap\x05\x07\xda\xc1\xc3\x16\x60\xd1\x03\x00\x02F\x00\x0aloadFactorI\x00\x09thresholdxp";
const LOAD_FACTOR: &[u8] = b"\x3f\x40\x00\x00";
const BYTE_ARRAY_CLASS: &[u8] = b"ur\x00\x02[B\xac\xf3\x17\xf8\x06\x08T\xe0\x02\x00\x00xp";
const BYTE_ARRAY_HANDLE: &[u8] = b"uq\x00\x7e\x00\x02";
const NULL: u8 = b'p';
const END: u8 = b'x';

/// Writes `entries` as Java would.
pub(super) fn write<B: AsRef<[u8]>>(entries: &[(B, Option<B>)]) -> Vec<u8> {
    let capacity = capacity_for(entries.len());
    let threshold = if entries.is_empty() { 0 } else { capacity / 4 * 3 };
    let mut out = Vec::new();
    out.extend_from_slice(HEAD);
    out.extend_from_slice(LOAD_FACTOR);
    out.extend_from_slice(&threshold.to_be_bytes());
    out.extend_from_slice(b"w\x08");
    out.extend_from_slice(&capacity.to_be_bytes());
    out.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(u32::MAX).to_be_bytes());
    let mut class_known = false;
    for (key, value) in entries {
        write_array(&mut out, key.as_ref(), &mut class_known);
        match value {
            Some(value) => write_array(&mut out, value.as_ref(), &mut class_known),
            None => out.push(NULL),
        }
    }
    out.push(END);
    out
}

/// The table size of a Java map that grew to `count` entries: a power of two with a quarter to spare.
fn capacity_for(count: usize) -> u32 {
    let mut capacity: u32 = 16;
    while (capacity as usize) / 4 * 3 < count && capacity < 1 << 30 {
        capacity *= 2;
    }
    capacity
}

fn write_array(out: &mut Vec<u8>, bytes: &[u8], class_known: &mut bool) {
    out.extend_from_slice(if *class_known { BYTE_ARRAY_HANDLE } else { BYTE_ARRAY_CLASS });
    *class_known = true;
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads what [`write`] or Java wrote; any load factor, threshold and capacity. No bytes are no entries.
pub(super) fn read(bytes: &[u8]) -> Result<Entries> {
    if bytes.is_empty() {
        return Ok(Entries::new());
    }
    let mut input = Input { bytes, at: 0 };
    input.expect(HEAD)?;
    input.skip(8)?;
    input.expect(b"w\x08")?;
    input.skip(4)?;
    let count = input.length()?;
    let mut entries = Entries::new();
    for _ in 0..count {
        let Some(key) = input.array()? else { return Err(input.broken()) };
        let value = input.array()?;
        entries.push((key.to_vec(), value.map(<[u8]>::to_vec)));
    }
    input.expect(&[END])?;
    Ok(entries)
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or_else(|| self.broken())?;
        let part = self.bytes.get(self.at..end).ok_or_else(|| self.broken())?;
        self.at = end;
        Ok(part)
    }

    fn skip(&mut self, count: usize) -> Result<()> {
        self.take(count).map(drop)
    }

    fn expect(&mut self, wanted: &[u8]) -> Result<()> {
        let start = self.at;
        if self.take(wanted.len())? == wanted {
            return Ok(());
        }
        self.at = start;
        Err(self.broken())
    }

    fn length(&mut self) -> Result<usize> {
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| self.broken())?;
        usize::try_from(i32::from_be_bytes(bytes)).map_err(|_| self.broken())
    }

    fn array(&mut self) -> Result<Option<&'a [u8]>> {
        if self.bytes.get(self.at) == Some(&NULL) {
            self.at += 1;
            return Ok(None);
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let head = if rest.starts_with(BYTE_ARRAY_CLASS) { BYTE_ARRAY_CLASS } else { BYTE_ARRAY_HANDLE };
        self.expect(head)?;
        let length = self.length()?;
        self.take(length).map(Some)
    }

    fn broken(&self) -> Error {
        Error::new(
            ErrorClass::Config,
            "java.io.StreamCorruptedException",
            format!("not a serialised HashMap<byte[], byte[]> (byte {} of {})", self.at, self.bytes.len()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conformance 5.5, observed.
    const ONE_ENTRY: &str = "aced0005737200116a6176612e7574696c2e486173684d61700507dac1c31660d103000246000a6c6f61644661\
        63746f724900097468726573686f6c6478703f4000000000000c77080000001000000001757200025b42acf317f8060854e00200007870\
        0000000d5b2263222c7b2270223a317d5d7571007e0002000000077b226f223a327d78";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn the_bytes_are_javas() {
        let entries = vec![(br#"["c",{"p":1}]"#.to_vec(), Some(br#"{"o":2}"#.to_vec()))];
        assert_eq!(write(&entries), bytes(ONE_ENTRY));
        assert_eq!(read(&bytes(ONE_ENTRY)).unwrap(), entries);
    }

    #[test]
    fn what_is_written_reads_back() {
        for count in [0, 1, 12, 13, 100] {
            let entries: Entries =
                (0..count).map(|i| (vec![i; 3], (i % 5 != 0).then(|| vec![i; i as usize]))).collect();
            assert_eq!(read(&write(&entries)).unwrap(), entries);
        }
        assert_eq!(read(b"").unwrap(), Entries::new());
    }

    #[test]
    fn cut_or_changed_bytes_are_refused_without_panic() {
        let good = bytes(ONE_ENTRY);
        for end in 1..good.len() {
            assert!(read(&good[..end]).is_err(), "cut at {end}");
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            let _ = read(&bad);
        }
    }
}
